//! Executions. A machine: made by `start`, moved by the verbs of [`crate::engine::state`], never deleted here.

use super::{
    events::{self, NewEvent},
    lease::{Lease, WriteError, WriteResult},
    queue,
};
use crate::engine::state::{Verb, sources, target};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, ExecutionState, StepState},
    error::{Error, Reason, Result, reason_name},
    ids::{AgentId, ExecutionId, OrganizationId, UserId},
};
use sqlx::PgConnection;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct NewExecution {
    /// Chosen by web.
    pub id: ExecutionId,
    pub agent_org_id: OrganizationId,
    pub agent_id: AgentId,
    /// The newest revision of the agent.
    pub agent_revision: i32,
    pub session_id: String,
    pub parent_execution_id: Option<ExecutionId>,
    pub call_stack: Vec<ExecutionId>,
    pub initial_prompt: String,
    /// An object.
    pub input: Value,
    pub priority: i16,
    pub limits: Limits,
    pub not_before: Option<DateTime<Utc>>,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
    pub created_by: Option<UserId>,
}

/// How long an execution may take. Queue and total count from its creation, or from `not_before` where that is later.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub queue: Duration,
    pub attempt: Duration,
    pub total: Duration,
}

/// Accepts an execution: it, its place in the queue and its first event. The same again changes nothing and returns false;
/// something else under the same id is an error.
pub async fn start(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: &NewExecution,
) -> Result<bool> {
    let call_stack: Vec<_> = new.call_stack.iter().map(|it| it.0).collect();
    let made = sqlx::query!(
        "with made as (
            insert into runtime.agent_executions
                (org_id, id, agent_org_id, agent_id, agent_revision, session_id, parent_execution_id, call_stack, initial_prompt,
                 input, priority, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before, traceparent, created_by, last_event_seq)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, coalesce($15, now()), $16, $17, 1)
            on conflict (org_id, id) do nothing
            returning org_id, id, agent_id, priority, queue_limit_ms, total_limit_ms, not_before, greatest(not_before, now()) as since
        ), queued as (
            insert into runtime.execution_queue
                (org_id, execution_id, priority, available_at, queue_deadline, total_deadline)
            select org_id, id, priority, not_before,
                since + queue_limit_ms * interval '1 millisecond',
                since + total_limit_ms * interval '1 millisecond'
            from made
        )
        insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
        select org_id, id, 1, 'execution_queued', jsonb_build_object('agent_id', agent_id, 'priority', priority)
        from made
        returning seq",
        org.0,
        new.id.0,
        new.agent_org_id.0,
        new.agent_id.0,
        new.agent_revision,
        new.session_id,
        new.parent_execution_id.map(|it| it.0),
        call_stack.as_slice(),
        new.initial_prompt,
        new.input,
        new.priority,
        queue::millis(new.limits.queue),
        queue::millis(new.limits.attempt),
        queue::millis(new.limits.total),
        new.not_before,
        new.traceparent,
        new.created_by.map(|it| it.0),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match made {
        Some(_) => Ok(true),
        None if is_same(conn, org, new).await? => Ok(false),
        None => Err(Error::AlreadyExists { resource: "execution", key: "id" }),
    }
}

/// Whether the execution that is there was started by the same command. The agent may have changed in between.
async fn is_same(conn: &mut PgConnection, org: OrganizationId, new: &NewExecution) -> Result<bool> {
    let row = sqlx::query!(
        r#"select (agent_org_id = $3 and agent_id = $4 and session_id = $5 and initial_prompt = $6 and input = $7
            and parent_execution_id is not distinct from $8) as "same!"
         from runtime.agent_executions
         where org_id = $1 and id = $2"#,
        org.0,
        new.id.0,
        new.agent_org_id.0,
        new.agent_id.0,
        new.session_id,
        new.initial_prompt,
        new.input,
        new.parent_execution_id.map(|it| it.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some_and(|it| it.same))
}

/// What a worker needs to know of an execution to do it.
#[derive(Clone, Debug)]
pub struct Work {
    pub agent_org_id: OrganizationId,
    pub agent_id: AgentId,
    pub agent_revision: i32,
    pub input: Value,
    pub initial_prompt: String,
    pub session_id: String,
    pub traceparent: Option<String>,
}

pub async fn work(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) -> Result<Work> {
    sqlx::query_as!(
        Work,
        "select agent_org_id, agent_id, agent_revision, input, initial_prompt, session_id, traceparent
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("execution", id))
}

/// Puts an execution that its holder leaves unfinished back into the queue.
pub async fn requeue(conn: &mut PgConnection, lease: &Lease, verb: Verb) -> WriteResult {
    let row = fenced!(
        ", moved as (
            update runtime.agent_executions as e
            set state = $4
            from lease
            where e.org_id = lease.org_id and e.id = lease.execution_id and e.state = any($5)
            returning e.id
        )
        select exists (select from lease) as \"held!\", exists (select from moved) as \"moved!\"",
        lease,
        target(verb) as ExecutionState,
        sources(verb) as Vec<ExecutionState>,
    )
    .fetch_one(conn)
    .await?;
    guarded(lease, verb, row.held, row.moved)
}

/// How an execution ends.
#[derive(Clone, Debug)]
pub enum End {
    Succeeded { output: Value },
    Failed { reason: Reason, message: String, step_key: Option<String> },
    Cancelled { message: String },
}

impl End {
    pub fn verb(&self) -> Verb {
        match self {
            Self::Succeeded { .. } => Verb::Succeed,
            Self::Failed { .. } => Verb::Fail,
            Self::Cancelled { .. } => Verb::Cancel,
        }
    }

    /// Reason, message and step of what did not succeed.
    fn error(&self) -> Option<(&'static str, &str, Option<&str>)> {
        match self {
            Self::Succeeded { .. } => None,
            Self::Failed { reason, message, step_key } => {
                Some((reason_name(*reason), message, step_key.as_deref()))
            }
            Self::Cancelled { message } => Some((reason_name(Reason::Cancelled), message, None)),
        }
    }

    fn event(&self) -> (EventType, Value) {
        match self {
            Self::Succeeded { .. } => (EventType::ExecutionSucceeded, json!({})),
            Self::Failed { reason, message, step_key } => (
                EventType::ExecutionFailed,
                json!({ "reason": reason_name(*reason), "message": message, "step_key": step_key }),
            ),
            Self::Cancelled { message } => {
                (EventType::ExecutionCancelled, json!({ "message": message }))
            }
        }
    }
}

/// Ends an execution: closes what it left open, sets its final state, tells its last event and takes it off the queue, which
/// makes every token of it worthless.
pub async fn end(conn: &mut PgConnection, lease: &Lease, end: &End) -> WriteResult {
    if let Some((reason, message, _)) = end.error() {
        let cancelled = matches!(end, End::Cancelled { .. });
        let state = if cancelled { StepState::Cancelled } else { StepState::Failed };
        super::steps::close_open(conn, lease, state, reason, message).await?;
        super::actions::close_open(conn, lease, state, reason, message).await?;
    }
    let (output, error) = match end {
        End::Succeeded { output } => (Some(output), None),
        End::Failed { .. } | End::Cancelled { .. } => (None, end.error()),
    };
    let (event_type, payload) = end.event();
    let verb = end.verb();
    let row = fenced!(
        ", moved as (
            update runtime.agent_executions as e
            set state = $4,
                output = $6,
                error_reason = $7,
                error_message = $8,
                error_step_key = $9,
                cancel_requested = false,
                finished_at = clock_timestamp(),
                last_event_seq = e.last_event_seq + 1
            from lease
            where e.org_id = lease.org_id and e.id = lease.execution_id and e.state = any($5)
            returning e.org_id, e.id, e.last_event_seq
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, last_event_seq, $10, $11
            from moved
        ), gone as (
            delete from runtime.execution_queue as q
            using moved
            where q.org_id = moved.org_id and q.execution_id = moved.id
        )
        select exists (select from lease) as \"held!\", exists (select from moved) as \"moved!\"",
        lease,
        target(verb) as ExecutionState,
        sources(verb) as Vec<ExecutionState>,
        output,
        error.map(|it| it.0),
        error.map(|it| it.1),
        error.and_then(|it| it.2),
        event_type as EventType,
        payload,
    )
    .fetch_one(conn)
    .await?;
    guarded(lease, verb, row.held, row.moved)
}

/// Nothing held: fenced. Held and not moved: the table of transitions says no, which is a defect.
fn guarded(lease: &Lease, verb: Verb, held: bool, moved: bool) -> WriteResult {
    match (held, moved) {
        (false, _) => Err(WriteError::Fenced),
        (true, true) => Ok(()),
        (true, false) => {
            let problem = anyhow::anyhow!(
                "execution {} is in a state that does not allow {verb:?}",
                lease.execution
            );
            Err(WriteError::Store(Error::Internal(problem)))
        }
    }
}

/// Asks an execution to stop. One that nobody holds is cancelled at once; the holder of one that runs is told. Asking again
/// changes nothing; one that has succeeded or failed is a failed precondition.
pub async fn cancel(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
    reason: &str,
) -> Result<()> {
    let Some(standing) = queue::lock(conn, org, id, true).await? else {
        return ended(conn, org, id).await;
    };
    let lease = standing.lease;
    let done = match standing.worker {
        None => end(conn, &lease, &End::Cancelled { message: cancel_message(reason) }).await,
        Some(_) if standing.cancel_requested => Ok(()),
        Some(_) => mark(conn, &lease, reason).await,
    };
    done.map_err(|error| match error {
        WriteError::Fenced => {
            Error::internal(anyhow::anyhow!("the row is locked, so its token holds"))
        }
        WriteError::Store(error) => error,
    })
}

async fn mark(conn: &mut PgConnection, lease: &Lease, reason: &str) -> WriteResult {
    queue::request_cancel(conn, lease).await?;
    let payload = json!({ "reason": reason });
    let event = NewEvent { event_type: EventType::CancelRequested, step_key: None, payload };
    events::append(conn, lease, event).await?;
    Ok(())
}

/// The message of an execution that was asked to stop, from the reason that the event of the request keeps.
pub async fn cancelled(conn: &mut PgConnection, lease: &Lease) -> Result<End> {
    let row = sqlx::query!(
        "select payload ->> 'reason' as reason
         from runtime.execution_events
         where org_id = $1 and execution_id = $2 and event_type = 'cancel_requested'
         order by seq
         limit 1",
        lease.org.0,
        lease.execution.0,
    )
    .fetch_optional(conn)
    .await?;
    let reason = row.and_then(|it| it.reason).unwrap_or_default();
    Ok(End::Cancelled { message: cancel_message(&reason) })
}

fn cancel_message(reason: &str) -> String {
    if reason.is_empty() { "cancelled on request".to_owned() } else { reason.to_owned() }
}

/// What asking an ended execution to stop amounts to.
async fn ended(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) -> Result<()> {
    let row = sqlx::query!(
        "select state
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("execution", id))?;
    if row.state == ExecutionState::Cancelled {
        return Ok(());
    }
    Err(Error::ExecutionState { id: id.to_string(), state: row.state.name() })
}
