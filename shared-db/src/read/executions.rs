//! Executions and their events.

use super::object;
use crate::{
    enums::{EventType, ExecutionState},
    error::{Error, Result},
    ids::{AgentId, ExecutionId, OrganizationId, UserId},
    json,
    page::{Cursor, Page, PageRequest, Paged},
    wire::{duration, timestamp},
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Bytes of an execution's input as JSON.
pub const INPUT_BYTES_MAX: usize = 256 << 10;

/// A row of `runtime.agent_executions`.
#[derive(Clone, Debug)]
pub struct Execution {
    pub org_id: OrganizationId,
    pub id: ExecutionId,
    pub agent_org_id: OrganizationId,
    pub agent_id: AgentId,
    pub agent_revision: i32,
    pub session_id: String,
    pub parent_execution_id: Option<ExecutionId>,
    pub call_stack: Vec<Uuid>,
    pub initial_prompt: String,
    pub input: Value,
    pub output: Option<Value>,
    pub state: ExecutionState,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
    pub error_step_key: Option<String>,
    pub attempt: i32,
    pub last_event_seq: i64,
    pub priority: i16,
    pub cancel_requested: bool,
    pub queue_limit_ms: i64,
    pub attempt_limit_ms: i64,
    pub total_limit_ms: i64,
    pub not_before: DateTime<Utc>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a list is narrowed to; `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    pub state: Option<ExecutionState>,
    pub agent: Option<AgentId>,
    pub session: Option<String>,
}

/// How far an execution has come, as narrow as a watch needs it.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub state: ExecutionState,
    pub last_event_seq: i64,
}

/// Runs a statement that ends in, or begins with, the columns of an execution: `$head`, the columns, `$tail`.
///
/// Exported for the one who writes the table; everyone else calls the functions of this module.
#[macro_export]
macro_rules! execution_columns {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::read::executions::Execution,
            $head + " org_id, id, agent_org_id, agent_id, agent_revision, session_id, parent_execution_id, call_stack,
                initial_prompt, input, output, state, error_reason, error_message, error_step_key, attempt, last_event_seq,
                priority, cancel_requested, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before, created_by,
                created_at, updated_at, started_at, finished_at " + $tail
            $(, $arg)*
        )
    };
}
use execution_columns as execution;

/// An execution of the organization.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<pb::Execution> {
    find(conn, org, id).await?.ok_or_else(|| Error::not_found("execution", id))
}

/// An execution of the organization, if there is one.
pub async fn find(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Option<pb::Execution>> {
    let row = execution!(
        "select",
        "from runtime.agent_executions where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// The executions of the organization, newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &ExecutionFilter,
    page: &PageRequest,
) -> Result<Page<pb::Execution>> {
    let rows = execution!(
        "select",
        "from runtime.agent_executions
         where org_id = $1
           and ($2::runtime.execution_state is null or state = $2)
           and ($3::uuid is null or agent_id = $3)
           and ($4::text is null or session_id = $4)
           and ($5::timestamptz is null or (created_at, id) < ($5, $6))
         order by created_at desc, id desc
         limit $7",
        org.0,
        filter.state as Option<ExecutionState>,
        filter.agent.map(|it| it.0),
        filter.session,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

/// How far an execution has come.
pub async fn progress(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Progress> {
    sqlx::query_as!(
        Progress,
        "select state, last_event_seq
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("execution", id))
}

/// At most `limit` events of an execution from `from_seq` on, in order.
pub async fn events(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
    from_seq: i64,
    limit: i64,
) -> Result<Vec<pb::ExecutionEvent>> {
    let rows = sqlx::query_as!(
        Event,
        "select execution_id, seq, event_type as kind, step_key, payload, created_at
         from runtime.execution_events
         where org_id = $1 and execution_id = $2 and $3 <= seq
         order by seq
         limit $4",
        org.0,
        id.0,
        from_seq,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A row of `runtime.execution_events`.
struct Event {
    execution_id: ExecutionId,
    seq: i64,
    kind: EventType,
    step_key: Option<String>,
    payload: Value,
    created_at: DateTime<Utc>,
}

/// The error that three columns of executions, steps and action executions make, if there is one.
pub(super) fn error(
    reason: Option<String>,
    message: Option<String>,
    step_key: Option<String>,
) -> Option<pb::ExecutionError> {
    Some(pb::ExecutionError {
        reason: reason?,
        message: message.unwrap_or_default(),
        step_key: step_key.unwrap_or_default(),
    })
}

impl Paged for Execution {
    fn cursor(&self) -> Cursor {
        Cursor { created_at: self.created_at, id: self.id.0 }
    }
}

impl From<Execution> for pb::Execution {
    fn from(it: Execution) -> Self {
        Self {
            id: it.id.to_string(),
            organization_id: it.org_id.to_string(),
            agent_id: it.agent_id.to_string(),
            agent_organization_id: it.agent_org_id.to_string(),
            agent_revision: it.agent_revision,
            session_id: it.session_id,
            parent_execution_id: it
                .parent_execution_id
                .map(|it| it.to_string())
                .unwrap_or_default(),
            call_stack: it.call_stack.iter().map(Uuid::to_string).collect(),
            initial_prompt: it.initial_prompt,
            input: json::to_struct(it.input),
            output: it.output.map(json::to_value),
            state: pb::ExecutionState::from(it.state).into(),
            error: error(it.error_reason, it.error_message, it.error_step_key),
            attempt: it.attempt,
            last_event_seq: it.last_event_seq,
            created_by: it.created_by.map(|it| it.to_string()).unwrap_or_default(),
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            start_time: it.started_at.map(timestamp),
            end_time: it.finished_at.map(timestamp),
            not_before: Some(timestamp(it.not_before)),
            priority: it.priority.into(),
            time_limits: Some(pb::TimeLimits {
                queue: Some(duration(it.queue_limit_ms)),
                attempt: Some(duration(it.attempt_limit_ms)),
                total: Some(duration(it.total_limit_ms)),
            }),
            cancel_requested: it.cancel_requested,
        }
    }
}

impl From<Event> for pb::ExecutionEvent {
    fn from(it: Event) -> Self {
        Self {
            execution_id: it.execution_id.to_string(),
            seq: it.seq,
            r#type: pb::EventType::from(it.kind).into(),
            step_key: it.step_key.unwrap_or_default(),
            payload: object(it.payload),
            create_time: Some(timestamp(it.created_at)),
        }
    }
}
