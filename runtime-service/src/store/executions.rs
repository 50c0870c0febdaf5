//! Executions. A machine: made by `start`, moved by the verbs of [`crate::engine::state`], never deleted here.

mod cancels;
mod ends;

pub use cancels::{cancel, cancelled};
pub use ends::{End, end};

use super::{
    lease::{Lease, WriteError, WriteResult},
    queue,
};
use crate::engine::state::{Verb, sources, target};
use chrono::{DateTime, Utc};
use serde_json::Value;
use shared_db::{
    enums::ExecutionState,
    error::{Error, Result},
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
