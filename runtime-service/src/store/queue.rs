//! The queue: one narrow row for each execution that has not ended. Workers claim from it; the token that fences their writes lives
//! here.
//!
//! Plans for it are made while it is empty and are kept when it is long, and to the planner all ways into an empty table are as good as each
//! other. So each statement leaves one way only: what comes in an order is read by the one index that has it (`begin_in_order`); what is
//! looked up names its key (`begin_by_key`), says `is not distinct from` of everything that another index could be taken for, and asks
//! for one row of a subquery, not whether any exists. A table that is known to have one row is its own case: a join by an index that has an
//! order is then done by reading all of the index, unless the first column is compared by `= any(array[…])`, which leaves no order to be joined by.

mod claims;
pub mod follow;
mod overdue;

pub use claims::{
    Claimed, Head, Limited, Seek, Work, claim, claim_limited, due_in, heads, promote,
};
pub use overdue::{Standing, backlog, lock, overdue, rescue};

use super::lease::{Lease, WriteResult, held};
use crate::engine::state::{Verb, sources};
use shared_db::{
    enums::{ExecutionState, QueuePhase},
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// How much later than one of the next higher priority an execution is claimed, if both became ready at the same moment: its rank is the
/// moment in milliseconds, put off by this for each priority below the third, or brought forward. Whatever has waited four times as long
/// goes before everything that is new.
pub const AGEING_STEP_MS: i64 = 30_000;

/// What the holder of an execution is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub to_cancel: bool,
    pub to_pause: bool,
}

/// Locks the row under the lease until the transaction ends, and says what somebody asked for.
pub async fn lock_held(conn: &mut PgConnection, lease: &Lease) -> WriteResult<Asked> {
    let row = sqlx::query!(
        "select cancel_requested, pause_requested
         from runtime.execution_queue
         where org_id = $1 and execution_id = $2 and lease_token = $3
         for update",
        lease.org.0,
        lease.execution.0,
        lease.token,
    )
    .fetch_optional(conn)
    .await?;
    let row = held(row)?;
    Ok(Asked { to_cancel: row.cancel_requested, to_pause: row.pause_requested })
}

/// How a worker lets go of an execution.
#[derive(Clone, Copy, Debug)]
pub struct Leave {
    /// When it may be claimed again; `None`: not before it is woken.
    pub delay: Option<Duration>,
    /// Its worker was lost with it.
    pub lost: bool,
    /// It waits for its children.
    pub joins: bool,
    /// Nobody may claim it before a person lets it go on.
    pub paused: bool,
}

impl Leave {
    /// Back into the queue, for anybody to take at once.
    pub const AT_ONCE: Self =
        Self { delay: Some(Duration::ZERO), lost: false, joins: false, paused: false };

    pub fn phase(&self) -> QueuePhase {
        match self.delay {
            _ if self.paused => QueuePhase::Paused,
            Some(Duration::ZERO) => QueuePhase::Ready,
            _ => QueuePhase::Delayed,
        }
    }
}

/// Lets go of an execution; the old token is worth nothing.
pub async fn release(conn: &mut PgConnection, lease: &Lease, how: Leave) -> WriteResult {
    let row = fenced!(
        ", times as (
            select coalesce(clock_timestamp() + $5::bigint * interval '1 millisecond', 'infinity') as available_at
        )
        update runtime.execution_queue as q
        set phase = $4,
            worker_id = null,
            lease_token = q.lease_token + 1,
            lost_leases = q.lost_leases + case when $6 then 1 else 0 end,
            joins = $7,
            pause_requested = q.pause_requested and $4 <> 'paused'::runtime.queue_phase,
            queue_deadline = null,
            deadline = q.total_deadline,
            available_at = times.available_at,
            rank = case when isfinite(times.available_at) then (extract(epoch from times.available_at) * 1000)::bigint else 0 end
                + (q.priority - 3) * $8::bigint
        from lease, times
        where q.org_id = $1 and q.execution_id = $2
        returning q.execution_id",
        lease,
        how.phase() as QueuePhase,
        how.delay.map(millis),
        how.lost,
        how.joins,
        AGEING_STEP_MS,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Marks an execution that a worker holds: it is to stop, and is stopped by force if it has not within `grace`.
pub async fn request_cancel(
    conn: &mut PgConnection,
    lease: &Lease,
    grace: Duration,
) -> WriteResult {
    let row = fenced!(
        ", marked as (
            update runtime.execution_queue as q
            set cancel_requested = true,
                deadline = least(q.deadline, now() + $4::bigint * interval '1 millisecond')
            from lease
            where q.org_id = $1 and q.execution_id = $2
        )
        update runtime.agent_executions as e
        set cancel_requested = true
        from lease
        where e.org_id = lease.org_id and e.id = lease.execution_id
        returning e.id",
        lease,
        millis(grace),
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Lets an execution that waits be claimed at once: what it waits for may have come. What is not waiting is left alone; the fact that it
/// is told of must have been written in this transaction before, so that whoever suspends it at this moment sees it. What was never begun
/// waits for its time, or for its key, and is left alone as well.
///
/// Returns whether it waited.
pub async fn wake(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
) -> Result<bool> {
    Ok(wake_all(conn, org, &[execution]).await? == 1)
}

/// [`wake`] for many. Returns how many waited.
pub async fn wake_all(
    conn: &mut PgConnection,
    org: OrganizationId,
    executions: &[ExecutionId],
) -> Result<u64> {
    // Whoever is about to suspend one has its row locked, and it does not wait yet. The statement after this one sees what came of it.
    let ids = lock_all(conn, org, executions).await?;
    let woken = sqlx::query!(
        "with waiting as materialized (
            select q.ctid
            from unnest($2::uuid[]) as asked (id)
            cross join lateral (
                select q.ctid, q.phase, q.attempt
                from runtime.execution_queue as q
                where q.org_id = $1 and q.execution_id = asked.id
                limit 1
            ) as q
            cross join lateral (
                select e.state from runtime.agent_executions as e where e.org_id = $1 and e.id = asked.id limit 1
            ) as e
            where q.phase = 'delayed' and 0 < q.attempt
              and e.state = any($4)
        ), woken as (
            update runtime.execution_queue as q
            set phase = 'ready',
                available_at = now(),
                rank = (extract(epoch from now()) * 1000)::bigint + (q.priority - 3) * $3::bigint,
                joins = false,
                lease_token = q.lease_token + 1
            from waiting
            where q.ctid = waiting.ctid
            returning q.org_id, q.execution_id
        ), moved as (
            update runtime.agent_executions as e
            set state = 'queued', last_event_seq = e.last_event_seq + 1
            from woken
            where e.org_id = woken.org_id and e.id = woken.execution_id
            returning e.org_id, e.id, e.last_event_seq
        )
        insert into runtime.execution_events (org_id, execution_id, seq, event_type)
        select org_id, id, last_event_seq, 'execution_woken'
        from moved",
        org.0,
        &ids,
        AGEING_STEP_MS,
        sources(Verb::Wake) as Vec<ExecutionState>,
    )
    .execute(conn)
    .await?;
    Ok(woken.rows_affected())
}

/// Lets go of executions that their parent does not wait for.
pub async fn detach(
    conn: &mut PgConnection,
    org: OrganizationId,
    executions: &[ExecutionId],
) -> Result<()> {
    let ids = lock_all(conn, org, executions).await?;
    sqlx::query!(
        "with let_go as materialized (
            select q.ctid
            from unnest($2::uuid[]) as asked (id)
            cross join lateral (
                select q.ctid from runtime.execution_queue as q where q.org_id = $1 and q.execution_id = asked.id limit 1
            ) as q
        )
        update runtime.execution_queue as q
        set detached = true
        from let_go
        where q.ctid = let_go.ctid",
        org.0,
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks the rows of executions, as far as they have not ended, and returns the ids of all. In the order of the ids, so that two who do it
/// wait for each other and not in a circle; the rows stay where they are until the transaction ends.
async fn lock_all(
    conn: &mut PgConnection,
    org: OrganizationId,
    executions: &[ExecutionId],
) -> Result<Vec<Uuid>> {
    let mut ids: Vec<_> = executions.iter().map(|it| it.0).collect();
    ids.sort_unstable();
    sqlx::query!(
        "select q.execution_id
         from unnest($2::uuid[]) as asked (id)
         cross join lateral (
             select q.execution_id
             from runtime.execution_queue as q
             where q.org_id = $1 and q.execution_id = asked.id
             for update
         ) as q",
        org.0,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

/// As the columns that count milliseconds take it.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
