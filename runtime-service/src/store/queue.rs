//! The queue: one narrow row for each execution that has not ended. Workers claim from it; the lease and its token live here.

mod overdue;

pub use overdue::{Standing, backlog, lock, overdue};

use super::lease::{Lease, WriteResult, held};
use crate::engine::state::{Verb, sources};
use shared_db::{
    enums::ExecutionState,
    error::Result,
    ids::{ExecutionId, OrganizationId, WorkerId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// Work that a worker has just taken.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub lease: Lease,
    /// How often it has been taken, this time included.
    pub attempt: i32,
    /// Until the worker's turn must be over.
    pub attempt_ms: i64,
    /// Until the execution must be over.
    pub total_ms: i64,
    /// How long it has waited since it could be taken.
    pub waited_ms: i64,
}

/// Takes up to `limit` executions that are due, most urgent first. They are running when this is committed, and their event says so.
///
/// Across organizations: in `Scope::Platform`.
pub async fn claim(
    conn: &mut PgConnection,
    worker: WorkerId,
    ttl: Duration,
    limit: i64,
) -> Result<Vec<Claimed>> {
    let rows = sqlx::query!(
        r#"with picked as (
            select org_id, execution_id
            from runtime.execution_queue
            where worker_id is null
              and available_at <= now()
              and now() < total_deadline
              and (0 < lease_token or now() < queue_deadline)
            order by priority, available_at, execution_id
            limit $3
            for update skip locked
        ), claimed as (
            update runtime.execution_queue as q
            set worker_id = $1,
                lease_until = now() + $2::bigint * interval '1 millisecond',
                lease_token = q.lease_token + 1,
                attempt_deadline = now() + e.attempt_limit_ms * interval '1 millisecond'
            from picked
            join runtime.agent_executions as e on e.org_id = picked.org_id and e.id = picked.execution_id
            where q.org_id = picked.org_id and q.execution_id = picked.execution_id and e.state = any($4)
            returning q.org_id, q.execution_id, q.lease_token, q.lost_leases, q.available_at, q.attempt_deadline, q.total_deadline
        ), begun as (
            update runtime.agent_executions as e
            set state = 'running',
                attempt = e.attempt + 1,
                started_at = coalesce(e.started_at, now()),
                last_event_seq = e.last_event_seq + 1
            from claimed
            where e.org_id = claimed.org_id and e.id = claimed.execution_id
            returning e.org_id, e.id, e.attempt, e.last_event_seq, claimed.lease_token, claimed.lost_leases,
                claimed.available_at, claimed.attempt_deadline, claimed.total_deadline
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, last_event_seq,
                (case when attempt = 1 then 'execution_started' else 'execution_resumed' end)::runtime.event_type,
                jsonb_build_object('attempt', attempt, 'lost_leases', lost_leases)
            from begun
        )
        select
            org_id as "org_id!: OrganizationId",
            id as "execution_id!: ExecutionId",
            lease_token as "token!",
            attempt as "attempt!",
            (extract(epoch from attempt_deadline - now()) * 1000)::bigint as "attempt_ms!",
            (extract(epoch from total_deadline - now()) * 1000)::bigint as "total_ms!",
            (extract(epoch from now() - available_at) * 1000)::bigint as "waited_ms!"
        from begun"#,
        worker.0,
        millis(ttl),
        limit,
        sources(Verb::Claim) as Vec<ExecutionState>,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|it| Claimed {
            lease: Lease { org: it.org_id, execution: it.execution_id, token: it.token },
            attempt: it.attempt,
            attempt_ms: it.attempt_ms,
            total_ms: it.total_ms,
            waited_ms: it.waited_ms,
        })
        .collect())
}

/// Prolongs leases of a worker in one statement. Those that it no longer holds are missing from the answer.
///
/// Across organizations: in `Scope::Platform`.
pub async fn renew(
    conn: &mut PgConnection,
    worker: WorkerId,
    ttl: Duration,
    leases: &[Lease],
) -> Result<Vec<ExecutionId>> {
    let orgs: Vec<_> = leases.iter().map(|it| it.org.0).collect();
    let executions: Vec<_> = leases.iter().map(|it| it.execution.0).collect();
    let tokens: Vec<_> = leases.iter().map(|it| it.token).collect();
    let rows = sqlx::query!(
        "update runtime.execution_queue as q
         set lease_until = now() + $2::bigint * interval '1 millisecond'
         from unnest($3::uuid[], $4::uuid[], $5::bigint[]) as held (org_id, execution_id, token)
         where q.org_id = held.org_id
           and q.execution_id = held.execution_id
           and q.lease_token = held.token
           and q.worker_id = $1
         returning q.execution_id",
        worker.0,
        millis(ttl),
        orgs.as_slice(),
        executions.as_slice(),
        tokens.as_slice(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.execution_id).collect())
}

/// Those of a worker's executions that somebody asked to stop.
///
/// Across organizations: in `Scope::Platform`.
pub async fn cancel_requested(
    conn: &mut PgConnection,
    worker: WorkerId,
) -> Result<Vec<ExecutionId>> {
    let rows = sqlx::query!(
        "select execution_id
         from runtime.execution_queue
         where worker_id = $1 and cancel_requested",
        worker.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.execution_id).collect())
}

/// Locks the row under the lease until the transaction ends, and says whether somebody asked to stop.
pub async fn lock_held(conn: &mut PgConnection, lease: &Lease) -> WriteResult<bool> {
    let row = sqlx::query!(
        "select cancel_requested
         from runtime.execution_queue
         where org_id = $1 and execution_id = $2 and lease_token = $3
         for update",
        lease.org.0,
        lease.execution.0,
        lease.token,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held(row)?.cancel_requested)
}

/// Lets go of an execution: it can be claimed after `delay`, and the old token is worth nothing.
pub async fn release(
    conn: &mut PgConnection,
    lease: &Lease,
    delay: Duration,
    lost: bool,
) -> WriteResult {
    let row = fenced!(
        "update runtime.execution_queue as q
        set worker_id = null,
            lease_until = null,
            attempt_deadline = null,
            lease_token = q.lease_token + 1,
            lost_leases = q.lost_leases + case when $5 then 1 else 0 end,
            available_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
        from lease
        where q.org_id = lease.org_id and q.execution_id = lease.execution_id
        returning q.execution_id",
        lease,
        millis(delay),
        lost,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Marks an execution that a worker holds: it is to stop.
pub async fn request_cancel(conn: &mut PgConnection, lease: &Lease) -> WriteResult {
    let row = fenced!(
        ", marked as (
            update runtime.execution_queue as q
            set cancel_requested = true
            from lease
            where q.org_id = lease.org_id and q.execution_id = lease.execution_id
        )
        update runtime.agent_executions as e
        set cancel_requested = true
        from lease
        where e.org_id = lease.org_id and e.id = lease.execution_id
        returning e.id",
        lease,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
