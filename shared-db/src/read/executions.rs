//! Executions: one of them, [`lists`] of them, and their [`events`].

pub mod events;
pub mod lists;

use crate::{
    enums::{ClosePolicy, ExecutionState},
    error::{Error, Result},
    ids::{AgentId, ExecutionId, OrganizationId, UserId},
    json,
    page::{Cursor, Paged},
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
    pub root_execution_id: ExecutionId,
    pub call_stack: Vec<Uuid>,
    pub close_policy: ClosePolicy,
    pub execution_key: Option<String>,
    pub forked_from: Option<ExecutionId>,
    pub forked_from_step: Option<String>,
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
    pub pause_requested: bool,
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
    ($head:literal, $tail:literal $(+ $more:literal)* $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::read::executions::Execution,
            $head + " org_id, id, agent_org_id, agent_id, agent_revision, session_id, parent_execution_id, root_execution_id, call_stack,
                close_policy, execution_key, forked_from, forked_from_step, pause_requested, initial_prompt, input, output, state, error_reason, error_message, error_step_key, attempt, last_event_seq,
                priority, cancel_requested, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before, created_by,
                created_at, updated_at, started_at, finished_at " + $tail $(+ $more)*
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
        Cursor::at(self.created_at, self.id.0)
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
            pause_requested: it.pause_requested,
            root_execution_id: it.root_execution_id.to_string(),
            execution_key: it.execution_key.unwrap_or_default(),
            close_policy: pb::ClosePolicy::from(it.close_policy).into(),
            forked_from: it.forked_from.map(|it| it.to_string()).unwrap_or_default(),
            forked_from_step: it.forked_from_step.unwrap_or_default(),
            a2a_state: it.state.a2a().to_owned(),
        }
    }
}
