//! The queue as the sweeper sees it: what is overdue, and how much is due.

use crate::store::lease::Lease;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId, WorkerId},
};
use sqlx::PgConnection;

/// A row of the queue as it stands, by the database's clock.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one limit that has passed or not")]
pub struct Standing {
    pub lease: Lease,
    pub worker: Option<WorkerId>,
    pub lost_leases: i32,
    pub cancel_requested: bool,
    /// Nobody took it in time.
    pub queue_over: bool,
    pub attempt_over: bool,
    pub total_over: bool,
    /// The worker has not renewed its lease.
    pub lease_over: bool,
}

/// Locks the row of an execution, whoever holds it, until the transaction ends. `None` when it has ended, or (`wait` false) when
/// another transaction has it.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
    wait: bool,
) -> Result<Option<Standing>> {
    /// The same statement twice: whether it waits can not be bound.
    macro_rules! standing {
        ($lock:literal) => {
            sqlx::query!(
                r#"select
                    lease_token,
                    worker_id,
                    lost_leases,
                    cancel_requested,
                    (lease_token = 0 and queue_deadline <= now()) as "queue_over!",
                    coalesce(attempt_deadline <= now(), false) as "attempt_over!",
                    (total_deadline <= now()) as "total_over!",
                    coalesce(lease_until <= now(), false) as "lease_over!"
                from runtime.execution_queue
                where org_id = $1 and execution_id = $2
                for update "#
                    + $lock,
                org.0,
                execution.0,
            )
            .fetch_optional(conn)
            .await?
            .map(|it| Standing {
                lease: Lease { org, execution, token: it.lease_token },
                worker: it.worker_id,
                lost_leases: it.lost_leases,
                cancel_requested: it.cancel_requested,
                queue_over: it.queue_over,
                attempt_over: it.attempt_over,
                total_over: it.total_over,
                lease_over: it.lease_over,
            })
        };
    }
    Ok(if wait { standing!("") } else { standing!("skip locked") })
}

/// Executions that have passed a limit or whose worker has not renewed its lease, longest overdue first.
///
/// Across organizations: in `Scope::Platform`.
pub async fn overdue(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(OrganizationId, ExecutionId)>> {
    let rows = sqlx::query!(
        r#"select org_id as "org_id!: OrganizationId", execution_id as "execution_id!: ExecutionId"
         from (
            select org_id, execution_id, total_deadline as since
            from runtime.execution_queue
            where total_deadline <= now()
            union all
            select org_id, execution_id, queue_deadline
            from runtime.execution_queue
            where lease_token = 0 and queue_deadline <= now()
            union all
            select org_id, execution_id, least(lease_until, attempt_deadline)
            from runtime.execution_queue
            where worker_id is not null and least(lease_until, attempt_deadline) <= now()
         ) as late
         group by org_id, execution_id
         order by min(since)
         limit $1"#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.org_id, it.execution_id)).collect())
}

/// How many executions could be claimed now, counted up to `limit`, and how long the first of them has waited, in milliseconds.
///
/// Across organizations: in `Scope::Platform`.
pub async fn backlog(conn: &mut PgConnection, limit: i64) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select
            count(*) as "due!",
            coalesce((extract(epoch from now() - min(available_at)) * 1000)::bigint, 0) as "age_ms!"
        from (
            select available_at
            from runtime.execution_queue
            where worker_id is null and available_at <= now()
            limit $1
        ) as due"#,
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.due, row.age_ms))
}
