//! Executions that are asked to stop.

use super::{End, end};
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
    enums::{EventType, ExecutionState},
    error::{Error, Result},
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;

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
