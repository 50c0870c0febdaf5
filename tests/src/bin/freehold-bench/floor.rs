//! The floor: what the database alone can do of a no-op execution whose history is kept.
//!
//! It does the writes that no such engine can leave out, in batches, with prepared statements and one commit a statement, at
//! the durability of the server: an execution, its queue row and its first event; a claim that is durable before the work
//! begins; then the fenced end: the queue row deleted, the execution updated, one step and four events inserted.
//!
//! It does nothing else. It has no gRPC, no requests answered one by one, no organizations to be fair to, no caps, no
//! heartbeat, no timers, no row-level security, no foreign keys, no check constraints, no triggers, and no indexes but the
//! primary keys and the one that the claim reads. What Freehold's rate lacks of it is what all those cost.
//!
//! The queue is short enough that dead rows do not slow the claim: a watermark changed nothing at 60,000 executions, and room
//! left for updates (a fillfactor of 60) changed less than the rounds differed.

mod tables;

use crate::figures::Figure;
use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use shared_db::ids::{AgentId, ExecutionId, OrganizationId, StepId, WorkerId};
use sqlx::{Connection, PgConnection};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};
use uuid::Uuid;

/// The most connections that are tried; on as many cores as a small server has, more only wait for one another.
const CONNECTIONS_MAX: usize = 4;
const START_BATCH: usize = 1000;
const CLAIM_BATCH: i64 = 500;

/// Binds: organization, agent, executions.
const START: &str = "
with started as (
    insert into bench_floor.executions
        (org_id, id, agent_org_id, agent_id, agent_revision, input, last_event_seq, queue_limit_ms, attempt_limit_ms, total_limit_ms)
    select $1, id, $1, $2, 1, '{}', 1, 86400000, 3600000, 172800000
    from unnest($3::uuid[]) as id
), queued as (
    insert into bench_floor.queue (org_id, execution_id, available_at, queue_deadline, total_deadline)
    select $1, id, now(), now() + interval '1 day', now() + interval '2 days'
    from unnest($3::uuid[]) as id
)
insert into bench_floor.events (org_id, execution_id, seq, event_type)
select $1, id, 1, 'execution_queued'
from unnest($3::uuid[]) as id";

/// Binds: worker, how many.
const CLAIM: &str = "
update bench_floor.queue as q
set worker_id = $1,
    lease_token = q.lease_token + 1,
    lease_until = now() + interval '30 seconds',
    attempt_deadline = now() + interval '1 hour'
from (
    select org_id, execution_id
    from bench_floor.queue
    where worker_id is null and available_at <= now()
    order by priority, available_at, execution_id
    limit $2
    for update skip locked
) as head
where q.org_id = head.org_id and q.execution_id = head.execution_id
returning q.org_id, q.execution_id, q.lease_token";

/// Binds: organizations, executions, tokens, steps; a hash. All that follows hangs on the rows that still carry the token.
const END: &str = "
with held as (
    delete from bench_floor.queue as q
    using unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[]) as done (org_id, execution_id, lease_token, step_id)
    where q.org_id = done.org_id and q.execution_id = done.execution_id and q.lease_token = done.lease_token
    returning q.org_id, q.execution_id, done.step_id
), ended as (
    update bench_floor.executions as e
    set state = 'succeeded', output = '{}', attempt = 1, last_event_seq = 5, started_at = now(), finished_at = now(), updated_at = now()
    from held
    where e.org_id = held.org_id and e.id = held.execution_id
), stepped as (
    insert into bench_floor.steps
        (org_id, id, execution_id, step_key, sequence, step_type, state, input_hash, input, output, finished_at)
    select org_id, step_id, execution_id, 'noop', 1, 'code', 'succeeded', $5, '{}', '{}', now()
    from held
)
insert into bench_floor.events (org_id, execution_id, seq, event_type, step_key)
select org_id, execution_id, seq, event_type::bench_floor.event_type, step_key
from held
cross join (values
    (2, 'execution_started', null),
    (3, 'step_started', 'noop'),
    (4, 'step_succeeded', 'noop'),
    (5, 'execution_succeeded', null)
) as event (seq, event_type, step_key)";

/// Starts and ends so many executions, on one connection, then on two, and so on.
pub(crate) async fn round(database_url: &str, executions: usize) -> Result<Vec<Figure>> {
    let mut owner =
        PgConnection::connect(database_url).await.context("DATABASE_URL does not answer")?;
    let mut figures = Vec::new();
    for connections in 1..=CONNECTIONS_MAX {
        tables::create(&mut owner).await?;
        let connect = (0..connections).map(|_| PgConnection::connect(database_url));
        let mut conns = try_join_all(connect).await?;

        let batches = AtomicUsize::new(executions / START_BATCH);
        let (org, agent) = (OrganizationId::generate(), AgentId::generate());
        let begin = Instant::now();
        try_join_all(conns.iter_mut().map(|it| start(it, org, agent, &batches))).await?;
        figures.push(figure(connections, "enqueue_bulk_per_second", executions, begin));

        // A queue in use has statistics; one that was filled a moment ago has none yet.
        sqlx::raw_sql("analyze bench_floor.queue, bench_floor.executions")
            .execute(&mut owner)
            .await?;
        let begin = Instant::now();
        try_join_all(conns.iter_mut().map(drain)).await?;
        figures.push(figure(connections, "noop_per_second", executions, begin));
        tables::verify(&mut owner, i64::try_from(executions)?).await?;
    }
    tables::drop(&mut owner).await?;
    Ok(figures)
}

async fn start(
    conn: &mut PgConnection,
    org: OrganizationId,
    agent: AgentId,
    batches: &AtomicUsize,
) -> Result<()> {
    let one_less = |left: usize| left.checked_sub(1);
    while batches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
        let ids: Vec<Uuid> = (0..START_BATCH).map(|_| ExecutionId::generate().0).collect();
        sqlx::query(START).bind(org.0).bind(agent.0).bind(ids).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Claims and ends until nothing is left to claim.
async fn drain(conn: &mut PgConnection) -> Result<()> {
    let worker = WorkerId::generate().0;
    loop {
        let claimed: Vec<(Uuid, Uuid, i64)> =
            sqlx::query_as(CLAIM).bind(worker).bind(CLAIM_BATCH).fetch_all(&mut *conn).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let orgs: Vec<_> = claimed.iter().map(|it| it.0).collect();
        let executions: Vec<_> = claimed.iter().map(|it| it.1).collect();
        let tokens: Vec<_> = claimed.iter().map(|it| it.2).collect();
        let steps: Vec<_> = claimed.iter().map(|_| StepId::generate().0).collect();
        sqlx::query(END)
            .bind(orgs)
            .bind(executions)
            .bind(tokens)
            .bind(steps)
            .bind([0_u8; 32].as_slice())
            .execute(&mut *conn)
            .await?;
    }
}

fn figure(connections: usize, case: &str, executions: usize, begin: Instant) -> Figure {
    #[expect(clippy::cast_precision_loss, reason = "counts of executions are small")]
    let value = executions as f64 / begin.elapsed().as_secs_f64();
    Figure {
        peer: "floor".to_owned(),
        setting: format!("on {connections}"),
        case: case.to_owned(),
        value,
        unit: "executions/s".to_owned(),
        keeps: "the execution, its step and its events".to_owned(),
        how: format!(
            "statements alone on as many connections; started by {START_BATCH}, claimed and ended by {CLAIM_BATCH}"
        ),
    }
}
