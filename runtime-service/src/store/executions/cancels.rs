//! Executions that are asked to stop.

use super::{End, announce, end};
use crate::{
    executor::legible,
    store::{
        events::{self, NewEvent},
        lease::{Lease, WriteError, WriteResult},
        queue,
    },
};
use serde_json::json;
use shared_db::{
    enums::{EventType, ExecutionState, QueuePhase},
    error::{Error, Result},
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// How an execution that a worker holds is made to stop.
#[derive(Clone, Copy, Debug)]
pub struct Insistence {
    /// At once, whatever its worker does: its token is worth nothing from then on.
    pub force: bool,
    /// Otherwise its worker is asked first, and has this long.
    pub grace: Duration,
}

/// What asking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended, now or before.
    Ended,
    /// Its worker was asked, now or before.
    Requested,
}

/// Asks an execution to stop. One that nobody holds is cancelled at once; the holder of one that runs is told. Asking again
/// changes nothing; one that has succeeded or failed is a failed precondition.
pub async fn cancel(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
    reason: &str,
    Insistence { force, grace }: Insistence,
) -> Result<Cancelled> {
    let Some(standing) = queue::lock(conn, org, id, true).await? else {
        return ended(conn, org, id).await;
    };
    let lease = standing.lease;
    let done = match standing.phase {
        QueuePhase::Held if !force && standing.cancel_requested => Ok(Cancelled::Requested),
        QueuePhase::Held if !force => {
            mark(conn, &lease, reason, grace).await.map(|()| Cancelled::Requested)
        }
        QueuePhase::Held | QueuePhase::Ready | QueuePhase::Delayed | QueuePhase::Paused => {
            let how = End::Cancelled { message: cancel_message(reason) };
            end(conn, &lease, &how).await.map(|()| Cancelled::Ended)
        }
    };
    done.map_err(WriteError::under_lock)
}

async fn mark(
    conn: &mut PgConnection,
    lease: &Lease,
    reason: &str,
    grace: Duration,
) -> WriteResult {
    announce(conn, lease).await?;
    queue::request_cancel(conn, lease, grace).await?;
    let payload = json!({ "reason": legible(reason.to_owned()) });
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
    if reason.is_empty() { "cancelled on request".to_owned() } else { legible(reason.to_owned()) }
}

/// What asking an ended execution to stop amounts to.
async fn ended(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) -> Result<Cancelled> {
    let refusal = refused(conn, org, id).await;
    if let Error::ExecutionState { state, .. } = &refusal
        && *state == ExecutionState::Cancelled.name()
    {
        return Ok(Cancelled::Ended);
    }
    Err(refusal)
}

/// Why nothing can be asked of an execution that is not in the queue.
pub(super) async fn refused(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Error {
    match state(conn, org, id).await {
        Ok(Some(state)) => Error::ExecutionState { id: id.to_string(), state: state.name() },
        Ok(None) => Error::not_found("execution", id),
        Err(error) => error,
    }
}

async fn state(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Option<ExecutionState>> {
    let row = sqlx::query!(
        "select state
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.state))
}
