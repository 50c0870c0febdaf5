//! What an engine costs that has nothing to do, and what executions cost that wait.

use super::{
    Server,
    bench::{Bench, db},
    fill::Kind,
    told::Told,
};
use crate::figures::Figure;
use anyhow::Result;
use freehold_tests::{kernel, wire::Meter};
use shared_db::ids::OrganizationId;
use sqlx::{Connection, Executor, PgPool};
use std::{
    process,
    time::{Duration, Instant},
};

/// Until an engine has settled into its rounds, and connections have been made.
const SETTLE: Duration = Duration::from_secs(3);

/// Statements and CPU of an engine without work.
pub(super) async fn idle(server: &Server<'_>) -> Result<Vec<Figure>> {
    let bench = Bench::prepare(server).await?;
    let meter = Meter::before(&bench.url()).await?;
    let engine = bench.start_engine_on(db(&meter.url(&bench.url()).parse()?))?;
    let mut conn = bench.connect().await?;
    tokio::time::sleep(SETTLE).await;
    let (began, wire) = (Instant::now(), meter.read());
    let (own, theirs) =
        (kernel::cpu(process::id())?, kernel::backends_cpu(&mut conn, "agent_runtime").await?);
    tokio::time::sleep(server.idle).await;
    let wire = meter.read() - wire;
    let own = kernel::cpu(process::id())?.saturating_sub(own);
    let theirs = kernel::backends_cpu(&mut conn, "agent_runtime").await?.saturating_sub(theirs);
    let seconds = began.elapsed().as_secs_f64();
    conn.close().await?;
    engine.stop().await?;
    bench.close().await?;
    let told = Told {
        setting: "idle",
        how: "counted on the wire; the process has what counts in it as well",
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let a_second = |it: u64| it as f64 / seconds;
    Ok(vec![
        told.figure(
            "idle_statements_per_second",
            a_second(wire.statements),
            "statements/s, BEGIN and COMMIT are some",
        ),
        told.figure("idle_round_trips_per_second", a_second(wire.round_trips), "round trips/s"),
        told.figure("idle_cpu_service", own.as_secs_f64() / seconds * 100.0, "% of a core"),
        told.figure("idle_cpu_postgres", theirs.as_secs_f64() / seconds * 100.0, "% of a core"),
    ])
}

/// Memory of the process before many executions went to sleep, and while they do.
pub(super) async fn waiting(server: &Server<'_>) -> Result<Vec<Figure>> {
    let bench = Bench::prepare(server).await?;
    let sleepers = bench.other(Kind::Sleep).await?;
    let count = server.waiting;
    let engine = bench.start_engine()?;
    // As many as fill every hand, so that what an engine at work takes is in the first figure.
    sleepers.fill(20_000).await?;
    until_asleep(&bench.owner, sleepers.org).await?;
    let before = kernel::memory(process::id())?;
    let began = Instant::now();
    sleepers.fill(count).await?;
    until_asleep(&bench.owner, sleepers.org).await?;
    let took = began.elapsed();
    tokio::time::sleep(SETTLE).await;
    let after = kernel::memory(process::id())?;
    engine.stop().await?;
    sleepers.close().await;
    bench.close().await?;
    let told = Told {
        setting: "asleep",
        how: "VmRSS of the process; 20,000 others sleep before the first figure is taken",
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let (before, after, each) = (before as f64, after as f64, count as f64);
    Ok(vec![
        told.figure("waiting_memory_before", before / 1e6, "MB"),
        told.figure("waiting_memory_after", after / 1e6, &format!("MB with {count} more asleep")),
        told.figure("waiting_memory_each", (after - before) / each, "bytes per waiting execution"),
        told.rate("suspended_per_second", count, took),
    ])
}

/// Waits until all of an organization's executions are rows that nobody holds.
async fn until_asleep(owner: &PgPool, org: OrganizationId) -> Result<()> {
    loop {
        let sql = "select exists (select from runtime.execution_queue where org_id = $1 and phase <> 'delayed')";
        if !sqlx::query_scalar(sql).bind(org.0).fetch_one(owner).await? {
            owner.execute("analyze runtime.execution_queue").await?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
