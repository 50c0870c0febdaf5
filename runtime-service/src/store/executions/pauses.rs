//! Executions that a person holds, and lets go on.

use super::{cancels::refused, guarded, requeue};
use crate::{
    engine::state::{Verb, sources, target},
    store::{
        events::{self, NewEvent},
        lease::{Lease, WriteError, WriteResult, held},
        queue::{self, AGEING_STEP_MS, Leave},
    },
};
use serde_json::json;
use shared_db::{
    enums::{EventType, ExecutionState, QueuePhase},
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;

/// Holds an execution until it is resumed. One that nobody does is paused at once; the holder of one that runs leaves it before its next
/// step. Asking again changes nothing; one that has ended is a failed precondition.
pub async fn pause(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) -> Result<()> {
    let Some(standing) = queue::lock(conn, org, id, true).await? else {
        return Err(refused(conn, org, id).await);
    };
    let done = match standing.phase {
        QueuePhase::Paused => Ok(()),
        QueuePhase::Held if standing.pause_requested => Ok(()),
        QueuePhase::Held => request(conn, &standing.lease, true).await,
        QueuePhase::Ready | QueuePhase::Delayed => leave_paused(conn, &standing.lease, false).await,
    };
    done.map_err(WriteError::under_lock)
}

/// Lets a paused execution go on, or takes back that it was asked to pause. One that is not paused stays as it is.
///
/// Returns whether there may be work to do at once.
pub async fn resume(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) -> Result<bool> {
    let Some(standing) = queue::lock(conn, org, id, true).await? else {
        return Err(refused(conn, org, id).await);
    };
    let done = match standing.phase {
        QueuePhase::Paused => ready(conn, &standing.lease).await.map(|()| true),
        QueuePhase::Held if standing.pause_requested => {
            request(conn, &standing.lease, false).await.map(|()| false)
        }
        QueuePhase::Held | QueuePhase::Ready | QueuePhase::Delayed => Ok(false),
    };
    done.map_err(WriteError::under_lock)
}

/// Leaves an execution to whoever paused it. `lost`: its worker was lost with it.
pub async fn leave_paused(conn: &mut PgConnection, lease: &Lease, lost: bool) -> WriteResult {
    let event =
        NewEvent { event_type: EventType::ExecutionPaused, step_key: None, payload: json!({}) };
    events::append(conn, lease, event).await?;
    requeue(conn, lease, Verb::Pause).await?;
    queue::release(conn, lease, Leave { paused: true, lost, ..Leave::AT_ONCE }).await
}

/// Asks the holder to leave it, or takes that back.
pub async fn request(conn: &mut PgConnection, lease: &Lease, wanted: bool) -> WriteResult {
    let row = fenced!(
        ", marked as (
            update runtime.execution_queue as q
            set pause_requested = $4
            from lease
            where q.org_id = $1 and q.execution_id = $2
        )
        update runtime.agent_executions as e
        set pause_requested = $4
        from lease
        where e.org_id = lease.org_id and e.id = lease.execution_id
        returning e.id",
        lease,
        wanted,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Puts it back into the queue: for anybody, but not before the time that its caller named, and not beside another under its key.
pub async fn ready(conn: &mut PgConnection, lease: &Lease) -> WriteResult {
    let row = fenced!(
        ", moved as (
            update runtime.agent_executions as e
            set state = $4, last_event_seq = e.last_event_seq + 1
            from lease
            where e.org_id = lease.org_id and e.id = lease.execution_id and e.state = any($5)
            returning e.org_id, e.id, e.last_event_seq, e.not_before, e.queue_limit_ms
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type)
            select org_id, id, last_event_seq, 'execution_unpaused'
            from moved
        ), times as (
            select
                case
                    when q.attempt = 0 and q.execution_key is not null and not exists (
                        select from runtime.execution_keys as k
                        where k.org_id = q.org_id and k.execution_key = q.execution_key and k.execution_id = q.execution_id
                    )
                    then 'infinity'
                    else greatest(moved.not_before, now())
                end as available_at,
                case when q.attempt = 0
                    then greatest(moved.not_before, now()) + moved.queue_limit_ms * interval '1 millisecond'
                end as queue_deadline
            from moved
            join runtime.execution_queue as q on q.org_id = $1 and q.execution_id = $2
        ), readied as (
            update runtime.execution_queue as q
            set phase = (case when now() < times.available_at then 'delayed' else 'ready' end)::runtime.queue_phase,
                lease_token = q.lease_token + 1,
                pause_requested = false,
                joins = false,
                available_at = times.available_at,
                rank = case when isfinite(times.available_at) then (extract(epoch from times.available_at) * 1000)::bigint else 0 end
                    + (q.priority - 3) * $6::bigint,
                queue_deadline = times.queue_deadline,
                deadline = least(times.queue_deadline, q.total_deadline)
            from times
            where q.org_id = $1 and q.execution_id = $2
        )
        select exists (select from lease) as \"held!\", exists (select from moved) as \"moved!\"",
        lease,
        target(Verb::Resume) as ExecutionState,
        sources(Verb::Resume) as Vec<ExecutionState>,
        AGEING_STEP_MS,
    )
    .fetch_one(conn)
    .await?;
    guarded(lease, Verb::Resume, row.held, row.moved)
}
