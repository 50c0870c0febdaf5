//! Taking work: by organization, in the order of rank, and within the limits that count what is under way.
//!
//! All of it crosses organizations: in `Scope::Platform`.

use super::AGEING_STEP_MS;
use crate::{
    engine::state::{Verb, sources},
    store::lease::Lease,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use shared_db::{
    enums::ExecutionState,
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId, WorkerId},
};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

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
    pub root: ExecutionId,
    pub call_stack: Vec<Uuid>,
}

/// Work that a worker has just taken.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub lease: Lease,
    /// How often it has been taken, this time included.
    pub attempt: i32,
    pub lost_leases: i32,
    /// By the database's clock.
    pub claimed_at: DateTime<Utc>,
    /// Until the worker's turn must be over.
    pub attempt_ms: i64,
    /// Until the execution must be over.
    pub total_ms: i64,
    /// How long it has waited since it could be taken.
    pub waited_ms: i64,
    /// Where the next claim of its organization may begin to look.
    pub rank: i64,
    /// There are no steps to be read: it was never begun before, and is no fork.
    pub fresh: bool,
    /// It counts against a limit: when it is left, others may begin.
    pub limited: bool,
    pub work: Work,
}

/// Where to look for the work of an organization, and how much of it to take.
#[derive(Clone, Copy, Debug)]
pub struct Seek {
    pub org: OrganizationId,
    /// Nothing of a lower rank is looked at: behind the head lie the rows that were taken before, which cost time to step over.
    pub from_rank: i64,
    pub share: i64,
}

/// An organization that has work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub org: OrganizationId,
    /// It has limits, so its work is claimed by [`claim_limited`].
    pub limited: bool,
}

/// Claims rows that `picked` has locked, and reads what they are. `$1` is the worker.
///
/// Both joins can be done in one way only, row by row, whatever the tables held when the plan was made. A row that was changed between
/// the look and the lock has moved: it is not claimed, and found again by the next claim.
macro_rules! claimed {
    ($picked:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query!(
            "with " + $picked + ", claimed as (
                update runtime.execution_queue as q
                set phase = 'held',
                    worker_id = $1,
                    lease_token = q.lease_token + 1,
                    attempt = q.attempt + 1,
                    queue_deadline = null,
                    deadline = least(q.total_deadline, now() + q.attempt_limit_ms * interval '1 millisecond')
                from picked
                where q.ctid = picked.ctid
                returning q.org_id, q.execution_id, q.lease_token, q.attempt, q.lost_leases, q.rank, q.attempt_limit_ms,
                    q.total_deadline, q.available_at
            )
            select
                e.org_id, e.id, e.agent_org_id, e.agent_id, e.agent_revision, e.input, e.initial_prompt, e.session_id, e.traceparent,
                e.root_execution_id, e.call_stack,
                claimed.lease_token as \"token!\",
                claimed.attempt as \"attempt!\",
                claimed.lost_leases as \"lost_leases!\",
                claimed.rank as \"rank!\",
                claimed.attempt_limit_ms as \"attempt_ms!\",
                (claimed.attempt = 1 and e.forked_from is null) as \"fresh!\",
                claimed.total_deadline as \"total_deadline!\",
                claimed.available_at as \"available_at!\",
                now() as \"now!\",
                clock_timestamp() as \"claimed_at!\"
            from claimed
            cross join lateral (
                select * from runtime.agent_executions as e where e.org_id = claimed.org_id and e.id = claimed.execution_id limit 1
            ) as e"
            $(, $arg)*
        )
    };
}

/// The same columns for both statements.
macro_rules! into_claimed {
    ($rows:expr, $limited:literal) => {
        $rows
            .into_iter()
            .map(|it| Claimed {
                lease: Lease { org: it.org_id, execution: it.id, token: it.token },
                attempt: it.attempt,
                lost_leases: it.lost_leases,
                claimed_at: it.claimed_at,
                attempt_ms: it.attempt_ms,
                total_ms: (it.total_deadline - it.now).num_milliseconds(),
                waited_ms: (it.now - it.available_at).num_milliseconds(),
                rank: it.rank,
                fresh: it.fresh,
                limited: $limited,
                work: Work {
                    agent_org_id: it.agent_org_id,
                    agent_id: it.agent_id,
                    agent_revision: it.agent_revision,
                    input: it.input,
                    initial_prompt: it.initial_prompt,
                    session_id: it.session_id,
                    traceparent: it.traceparent,
                    root: it.root_execution_id,
                    call_stack: it.call_stack,
                },
            })
            .collect()
    };
}

/// Takes executions of organizations without limits, of each at most its share in the order of rank. A worker that was taken for dead
/// gets nothing.
pub async fn claim(
    conn: &mut PgConnection,
    worker: WorkerId,
    seeks: &[Seek],
) -> Result<Vec<Claimed>> {
    let orgs: Vec<_> = seeks.iter().map(|it| it.org.0).collect();
    let ranks: Vec<_> = seeks.iter().map(|it| it.from_rank).collect();
    let shares: Vec<_> = seeks.iter().map(|it| it.share).collect();
    let rows = claimed!(
        "sought as (
            select org_id, from_rank, share
            from unnest($2::uuid[], $3::bigint[], $4::bigint[]) as sought (org_id, from_rank, share)
            where exists (select from runtime.workers where id = $1 and now() < lease_until)
              and not exists (select from runtime.organization_limits as l where l.org_id = sought.org_id)
        ), picked as materialized (
            select head.ctid
            from sought
            cross join lateral (
                select q.ctid
                from runtime.execution_queue as q
                where q.phase = 'ready' and q.org_id = sought.org_id and sought.from_rank <= q.rank
                  and q.available_at <= now() and now() < q.deadline
                order by q.rank
                limit sought.share
                for update skip locked
            ) as head
        )",
        worker.0,
        orgs.as_slice(),
        ranks.as_slice(),
        shares.as_slice(),
    )
    .fetch_all(conn)
    .await?;
    Ok(into_claimed!(rows, false))
}

/// What a claim within limits came to.
#[derive(Debug)]
pub enum Limited {
    Claimed(Vec<Claimed>),
    /// Another one is at the limits just now.
    Contended,
    /// There are none any more.
    Unlimited,
}

/// Takes executions of one organization that has limits, and no more than they allow.
///
/// Two statements: the first locks the limits, so that the second sees what every other claimer has taken.
pub async fn claim_limited(
    conn: &mut PgConnection,
    worker: WorkerId,
    org: OrganizationId,
    share: i64,
) -> Result<Limited> {
    let locked = sqlx::query!(
        "select executions_max
         from runtime.organization_limits
         where org_id = $1
         for update skip locked",
        org.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(limits) = locked else {
        return Ok(if is_limited(conn, org).await? {
            Limited::Contended
        } else {
            Limited::Unlimited
        });
    };
    let rows = claimed!(
        "live as materialized (
            select agent_id, platforms
            from runtime.execution_queue
            where phase = 'held' and org_id = $2
            order by worker_id
        ), room as materialized (
            select c.subject, c.subject_id, c.executions_max - (
                select count(*)
                from live
                where case c.subject when 'agent' then live.agent_id = c.subject_id else c.subject_id = any(live.platforms) end
            ) as free
            from runtime.concurrency_limits as c
            where c.org_id = $2
        ), ready as materialized (
            select q.ctid, q.execution_id, q.agent_id, q.platforms, q.rank
            from runtime.execution_queue as q
            where q.phase = 'ready' and q.org_id = $2 and q.available_at <= now() and now() < q.deadline
              and exists (select from runtime.workers where id = $1 and now() < lease_until)
              and not exists (
                select from room
                where room.free <= 0
                  and case room.subject when 'agent' then q.agent_id = room.subject_id else room.subject_id = any(q.platforms) end
              )
            order by q.rank
            limit greatest(0, least($3::bigint, coalesce($4::bigint - (select count(*) from live), $3::bigint)))
            for update skip locked
        ), picked as materialized (
            select ctid
            from ready
            where not exists (
                select from room
                where case room.subject when 'agent' then ready.agent_id = room.subject_id else room.subject_id = any(ready.platforms) end
                  and room.free < (
                    select count(*)
                    from ready as before
                    where before.rank <= ready.rank
                      and (before.rank, before.execution_id) <= (ready.rank, ready.execution_id)
                      and case room.subject when 'agent' then before.agent_id = room.subject_id else room.subject_id = any(before.platforms) end
                  )
            )
        )",
        worker.0,
        org.0,
        share,
        limits.executions_max.map(i64::from),
    )
    .fetch_all(conn)
    .await?;
    Ok(Limited::Claimed(into_claimed!(rows, true)))
}

async fn is_limited(conn: &mut PgConnection, org: OrganizationId) -> Result<bool> {
    let row = sqlx::query!(
        r#"select exists (select from runtime.organization_limits where org_id = $1) as "limited!""#,
        org.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.limited)
}

/// Organizations that have work, in the order of their ids from the one after `after` on, at most `limit`. Those of `known` (in the order
/// of their ids) are taken at their word and not looked at: before the first row that is left of one lie those that were taken, as long
/// as a session's snapshot keeps them, and to step over them costs more than all the rest.
pub async fn heads(
    conn: &mut PgConnection,
    after: OrganizationId,
    known: &[OrganizationId],
    limit: i64,
) -> Result<Vec<Head>> {
    let known: Vec<_> = known.iter().map(|it| it.0).collect();
    let rows = sqlx::query!(
        r#"with recursive heads as (
            select $1::uuid as org_id
            union all
            select coalesce(
                (
                    select q.org_id
                    from runtime.execution_queue as q
                    where q.phase = 'ready' and heads.org_id < q.org_id and q.org_id < known.next
                    order by q.org_id, q.rank
                    limit 1
                ),
                nullif(known.next, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            )
            from heads
            cross join lateral (
                select coalesce(
                    ($3::uuid[])[1 + (select count(*) from unnest($3::uuid[]) as it (org_id) where it.org_id <= heads.org_id)],
                    'ffffffff-ffff-ffff-ffff-ffffffffffff'
                ) as next
            ) as known
            where heads.org_id is not null
        )
        select
            org_id as "org_id!: OrganizationId",
            exists (select from runtime.organization_limits as l where l.org_id = heads.org_id) as "limited!"
        from heads
        where $1 < org_id
        limit $2"#,
        after.0,
        limit,
        known.as_slice(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| Head { org: it.org_id, limited: it.limited }).collect())
}

/// Makes ready what is due, at most `limit`. Returns the organizations that it belongs to, each as often as it has some.
pub async fn promote(conn: &mut PgConnection, limit: i64) -> Result<Vec<OrganizationId>> {
    let rows = sqlx::query!(
        r#"with due as materialized (
            select ctid
            from runtime.execution_queue
            where phase = 'delayed' and available_at <= now()
            order by available_at
            limit $1
            for update skip locked
        ), readied as (
            update runtime.execution_queue as q
            set phase = 'ready',
                joins = false,
                rank = (extract(epoch from q.available_at) * 1000)::bigint + (q.priority - 3) * $2::bigint
            from due
            -- One way only, row by row: as a claim, and for its reason.
            where q.ctid = due.ctid
            returning q.org_id, q.execution_id
        ), moved as (
            update runtime.agent_executions as e
            set state = 'queued', last_event_seq = e.last_event_seq + 1
            from readied
            where e.org_id = readied.org_id and e.id = readied.execution_id
              and e.state = any($3)
            returning e.org_id, e.id, e.last_event_seq
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type)
            select org_id, id, last_event_seq, 'execution_woken'
            from moved
        )
        select org_id as "org_id!: OrganizationId"
        from readied"#,
        limit,
        AGEING_STEP_MS,
        sources(Verb::Wake) as Vec<ExecutionState>,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.org_id).collect())
}

/// How long until something is due that nobody may take before.
pub async fn due_in(conn: &mut PgConnection) -> Result<Duration> {
    let row = sqlx::query!(
        r#"select (extract(epoch from available_at - now()) * 1000)::bigint as "millis!"
         from runtime.execution_queue
         where phase = 'delayed' and available_at < 'infinity'
         order by available_at
         limit 1"#,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map_or(Duration::MAX, |it| Duration::from_millis(it.millis.max(1).unsigned_abs())))
}
