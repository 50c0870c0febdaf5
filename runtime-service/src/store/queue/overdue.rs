//! The queue as the sweeper sees it: what is overdue, what has lost its worker, and how much is due.

use super::AGEING_STEP_MS;
use crate::store::lease::Lease;
use shared_db::{
    enums::QueuePhase,
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;

/// A row of the queue as it stands, by the database's clock.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one limit that has passed or not")]
pub struct Standing {
    pub lease: Lease,
    pub phase: QueuePhase,
    pub lost_leases: i32,
    pub cancel_requested: bool,
    pub pause_requested: bool,
    /// Nobody took it in time.
    pub queue_over: bool,
    /// A moment has come at which somebody has to look: the limit of the attempt under way, or the grace after a request to stop.
    pub deadline_over: bool,
    pub total_over: bool,
    /// The worker that holds it is not alive.
    pub orphaned: bool,
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
                    q.lease_token,
                    q.phase,
                    q.lost_leases,
                    q.cancel_requested,
                    q.pause_requested,
                    coalesce(q.queue_deadline <= now(), false) as "queue_over!",
                    (q.deadline <= now()) as "deadline_over!",
                    (q.total_deadline <= now()) as "total_over!",
                    (q.phase = 'held' and not exists (
                        select from runtime.workers as w where w.id = q.worker_id and now() < w.lease_until
                    )) as "orphaned!"
                from runtime.execution_queue as q
                where q.org_id = $1 and q.execution_id = $2
                for update of q "#
                    + $lock,
                org.0,
                execution.0,
            )
            .fetch_optional(conn)
            .await?
            .map(|it| Standing {
                lease: Lease { org, execution, token: it.lease_token },
                phase: it.phase,
                lost_leases: it.lost_leases,
                cancel_requested: it.cancel_requested,
                pause_requested: it.pause_requested,
                queue_over: it.queue_over,
                deadline_over: it.deadline_over,
                total_over: it.total_over,
                orphaned: it.orphaned,
            })
        };
    }
    Ok(if wait { standing!("") } else { standing!("skip locked") })
}

/// A statement that reads `holders`: the workers that may hold something, found by steps from one to the next, however much each holds. Those
/// that live are taken from their own table: what such a one has held and is done with stays in the index as long as a session's snapshot
/// keeps it, and a step into it would go over all of that.
macro_rules! with_holders {
    ($statement:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query!(
            "with recursive holders as (
            select '00000000-0000-0000-0000-000000000000'::uuid as worker_id
            union all
            select coalesce(
                (
                    select q.worker_id
                    from runtime.execution_queue as q
                    where q.phase = 'held' and holders.worker_id < q.worker_id and q.worker_id < living.next
                    order by q.worker_id
                    limit 1
                ),
                nullif(living.next, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            from holders
            cross join lateral (
                select coalesce(
                    (
                        select w.id
                        from runtime.workers as w
                        where holders.worker_id < w.id and now() < w.lease_until
                        order by w.id
                        limit 1
                    ),
                    'ffffffff-ffff-ffff-ffff-ffffffffffff'
                ) as next
            ) as living
            where holders.worker_id is not null
        ), " + $statement
            $(, $arg)*
        )
    };
}

/// Executions that have passed a limit, longest overdue first, those that nobody holds before the others; then those that have lost their worker.
///
/// Across organizations: in `Scope::Platform`.
pub async fn overdue(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(OrganizationId, ExecutionId)>> {
    let rows = with_holders!(
        r#"late as (
            (
                select org_id, execution_id
                from runtime.execution_queue
                where phase <> 'held' and deadline <= now()
                order by deadline
                limit $1
            )
            union all
            (
                select q.org_id, q.execution_id
                from holders
                cross join lateral (
                    select q.org_id, q.execution_id
                    from runtime.execution_queue as q
                    where q.phase = 'held' and q.worker_id = holders.worker_id and q.deadline <= now()
                    order by q.deadline
                    limit $1
                ) as q
                limit $1
            )
            union all
            (
                select q.org_id, q.execution_id
                from holders
                -- Row by row, for the reason that a claim has.
                cross join lateral (
                    select q.org_id, q.execution_id
                    from runtime.execution_queue as q
                    where q.phase = 'held' and q.worker_id = holders.worker_id
                    limit $1
                ) as q
                where not exists (
                    select from runtime.workers as w where w.id = holders.worker_id and now() < w.lease_until
                )
                limit $1
            )
        )
        select distinct org_id as "org_id!: OrganizationId", execution_id as "execution_id!: ExecutionId"
        from late
        limit $1"#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.org_id, it.execution_id)).collect())
}

/// Puts back what has lost its worker, at most `limit`, unless somebody asked to stop or to pause it or it has lost `lost_max` workers
/// before: those are left to be settled one by one. Returns the organizations that it belongs to.
///
/// Across organizations: in `Scope::Platform`.
pub async fn rescue(
    conn: &mut PgConnection,
    lost_max: i32,
    limit: i64,
) -> Result<Vec<OrganizationId>> {
    let rows = with_holders!(
        r#"orphans as materialized (
            select q.ctid, e.attempt < q.attempt as untold, q.lost_leases as lost_before
            from runtime.execution_queue as q
            cross join lateral (
                select attempt from runtime.agent_executions as e where e.org_id = q.org_id and e.id = q.execution_id limit 1
            ) as e
            -- By name: a row that a new worker has taken since this statement began is looked at again, and is not an orphan.
            where q.phase = 'held' and not q.cancel_requested and not q.pause_requested and q.lost_leases < $1
              and now() < q.deadline
              and q.worker_id = any (array(
                select holders.worker_id
                from holders
                where not exists (select from runtime.workers as w where w.id = holders.worker_id and now() < w.lease_until)
              ))
            limit $2
            for update of q skip locked
        ), readied as (
            update runtime.execution_queue as q
            set phase = 'ready',
                worker_id = null,
                lease_token = q.lease_token + 1,
                lost_leases = q.lost_leases + 1,
                deadline = q.total_deadline,
                available_at = now(),
                rank = (extract(epoch from now()) * 1000)::bigint + (q.priority - 3) * $3::bigint
            from orphans
            -- One way only, row by row: as a claim, and for its reason.
            where q.ctid = orphans.ctid
            returning q.org_id, q.execution_id, q.attempt, orphans.untold, orphans.lost_before
        ), moved as (
            update runtime.agent_executions as e
            set state = 'queued',
                attempt = readied.attempt,
                started_at = coalesce(e.started_at, now()),
                last_event_seq = e.last_event_seq + case when readied.untold then 2 else 1 end
            from readied
            where e.org_id = readied.org_id and e.id = readied.execution_id and e.finished_at is null
            returning e.org_id, e.id, e.last_event_seq, e.attempt, readied.untold, readied.lost_before
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, last_event_seq - 1,
                (case when attempt = 1 then 'execution_started' else 'execution_resumed' end)::runtime.event_type,
                jsonb_build_object('attempt', attempt, 'lost_leases', lost_before)
            from moved
            where untold
            union all
            select org_id, id, last_event_seq, 'execution_retry', jsonb_build_object('reason', 'WORKER_LOST')
            from moved
        )
        select org_id as "org_id!: OrganizationId"
        from moved"#,
        lost_max,
        limit,
        AGEING_STEP_MS,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.org_id).collect())
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
            where phase = 'ready'
            limit $1
        ) as due"#,
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.due, row.age_ms))
}
