//! How executions end: once, with the final event last.

use super::{announce, guarded};
use crate::{
    engine::state::{Verb, sources, target},
    store::{
        actions, input_requests,
        lease::{Lease, WriteResult},
        steps, workflow_data,
    },
};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, ExecutionState, StepState},
    error::{Reason, reason_name},
};
use sqlx::PgConnection;

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

    pub(crate) fn state(&self) -> ExecutionState {
        target(self.verb())
    }

    /// Reason, message and step of what did not succeed.
    pub(crate) fn error(&self) -> Option<(&'static str, &str, Option<&str>)> {
        match self {
            Self::Succeeded { .. } => None,
            Self::Failed { reason, message, step_key } => {
                Some((reason_name(*reason), message, step_key.as_deref()))
            }
            Self::Cancelled { message } => Some((reason_name(Reason::Cancelled), message, None)),
        }
    }

    /// Why only a person can mend it, if so: it becomes a dead letter.
    pub(crate) fn dead_letter(&self) -> Option<&'static str> {
        match self {
            Self::Failed {
                reason: reason @ (Reason::WorkerLost | Reason::AttemptsExhausted),
                ..
            } => Some(reason_name(*reason)),
            Self::Succeeded { .. } | Self::Failed { .. } | Self::Cancelled { .. } => None,
        }
    }

    pub(crate) fn event(&self) -> (EventType, Value) {
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
    announce(conn, lease).await?;
    if let Some((reason, message, _)) = end.error() {
        let cancelled = matches!(end, End::Cancelled { .. });
        let state = if cancelled { StepState::Cancelled } else { StepState::Failed };
        steps::close_open(conn, lease, state, reason, message).await?;
        actions::close_open(conn, lease, state, reason, message).await?;
        // What succeeds has come to the end of each wait, and so has what fails in a turn by itself.
        input_requests::cancel_open(conn, lease).await?;
        workflow_data::wait_no_more(conn, lease).await?;
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
                pause_requested = false,
                finished_at = clock_timestamp(),
                last_event_seq = e.last_event_seq + 1
            from lease
            where e.org_id = lease.org_id and e.id = lease.execution_id and e.state = any($5)
            returning e.org_id, e.id, e.agent_id, e.last_event_seq
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, last_event_seq, $10, $11
            from moved
        ), lettered as (
            insert into runtime.dead_letters (org_id, execution_id, agent_id, reason)
            select org_id, id, agent_id, $12::text
            from moved
            where $12::text is not null
        ), gone as (
            delete from runtime.execution_queue as q
            using moved
            where q.org_id = $1 and q.execution_id = $2
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
        end.dead_letter(),
    )
    .fetch_one(conn)
    .await?;
    guarded(lease, verb, row.held, row.moved)
}
