//! Writes about a step whose outcome nobody knows: it is noted, and its execution waits for whoever decides.

use super::{
    super::state::{Verb, target},
    leave,
};
use crate::store::{
    actions,
    events::{self, NewEvent},
    executions,
    lease::{Lease, WriteError, WriteResult},
    queue::{self, Leave},
    steps,
    turns::{self, ActionRow, Change, Changed, EventRow, Fate, StepRow},
};
use serde_json::json;
use shared_db::{
    enums::{EventType, StepState},
    error::{Reason, reason_name},
};
use sqlx::PgConnection;

/// Notes that the outcome is unknown. Without `action`, the attempt was cut short by the loss of its worker.
pub(super) async fn note(
    conn: &mut PgConnection,
    lease: &Lease,
    step: &StepRow,
    action: Option<&ActionRow>,
) -> WriteResult {
    executions::announce(conn, lease).await?;
    if action.is_none() {
        let lost = "the worker was lost before it had an answer";
        let reason = reason_name(Reason::WorkerLost);
        actions::close_open(conn, lease, StepState::Failed, reason, lost).await?;
    }
    let payload = json!({ "attempt": step.attempt, "reason": step.error_reason, "message": step.error_message });
    let step_key = Some(step.step_key.clone());
    let change = Change {
        lease: *lease,
        begun_at: None,
        fate: Fate::Keep,
        steps: vec![step.clone()],
        actions: action.cloned().into_iter().collect(),
        events: vec![EventRow { event_type: EventType::StepWaiting, step_key, payload, at: None }],
    };
    match turns::apply(conn, &[change]).await?.changed.first() {
        Some(Changed::Done) => Ok(()),
        Some(Changed::Yielded | Changed::Fenced) | None => Err(WriteError::Fenced),
    }
}

/// Lets go of the execution until somebody decides. If that has happened since the step was read, somebody else goes on at once.
pub(super) async fn suspend(conn: &mut PgConnection, lease: &Lease, key: &str) -> WriteResult {
    let step = steps::find(conn, lease, key).await?;
    if !step.is_some_and(|it| it.is_undecided()) {
        return leave(conn, lease, Verb::Release, Leave::AT_ONCE).await;
    }
    executions::announce(conn, lease).await?;
    let state = target(Verb::AwaitInput).name();
    let event = NewEvent {
        event_type: EventType::ExecutionSuspended,
        step_key: None,
        payload: json!({ "state": state, "step_key": key }),
    };
    events::append(conn, lease, event).await?;
    executions::requeue(conn, lease, Verb::AwaitInput).await?;
    queue::release(conn, lease, Leave { delay: None, ..Leave::AT_ONCE }).await
}
