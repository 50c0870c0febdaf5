//! How fast the queue is drained, and what an execution costs: from a warm start, from an empty database, and beside a long history
//! or the long queue of another.

use super::{
    Server,
    bench::Bench,
    fill::Kind,
    history,
    told::{Told, per_second},
};
use crate::figures::Figure;
use anyhow::Result;
use freehold_tests::kernel;
use runtime_service::engine::EngineConfig;
use sqlx::{Connection, PgConnection};
use std::{
    process,
    time::{Duration, Instant},
};

/// How long an engine has the empty database to itself before it is given work.
const ALONE: Duration = Duration::from_secs(2);

const NOOP: Told = Told {
    setting: "in process",
    how: "from the start of the engine to the commit of the last end; what is in the queue was there before",
};

/// Fills the queue and drains it, by as many hands as do best, and by as many as a service has by default.
pub(super) async fn drain(server: &Server<'_>) -> Result<Vec<Figure>> {
    let mut figures = observed(server).await?;
    let concurrency = EngineConfig::default().worker_concurrency;
    let rate = plain(&Server { concurrency, ..*server }).await?;
    let told = Told { setting: "in process, concurrency by default", ..NOOP };
    figures.push(told.figure("noop_per_second", rate, "executions/s"));
    Ok(figures)
}

/// A drain, and what it costs.
async fn observed(server: &Server<'_>) -> Result<Vec<Figure>> {
    let bench = Bench::prepare(server).await?;
    let began = Instant::now();
    bench.filler.fill(server.executions).await?;
    let filled = began.elapsed();
    bench.analyze().await?;

    let mut conn = bench.connect().await?;
    // Whoever filled the queue is connected still.
    let filling = kernel::backends_cpu(&mut conn, "agent_runtime").await?;
    let (began, cpu) = (Instant::now(), kernel::cpu(process::id())?);
    let engine = bench.start_engine()?;
    bench.until_empty(bench.filler.org).await?;
    let took = began.elapsed();
    let service = kernel::cpu(process::id())?.saturating_sub(cpu);
    let database = kernel::backends_cpu(&mut conn, "agent_runtime").await?.saturating_sub(filling);
    engine.stop().await?;
    bench.verify(server.executions).await?;
    conn.close().await?;
    bench.close().await?;
    let n = server.executions;
    let each = |it: Duration| micros(it) / count(n);
    let cpu = Told {
        setting: "in process",
        how: "utime and stime of the process, and of the engine's connections, while the queue was drained",
    };
    Ok(vec![
        Told { how: "batches of 500, two under way", ..NOOP }.rate(
            "enqueue_bulk_per_second",
            n,
            filled,
        ),
        NOOP.rate("noop_per_second", n, took),
        cpu.figure("cpu_service_us", each(service), "µs per execution"),
        cpu.figure("cpu_postgres_us", each(database), "µs per execution"),
        cpu.figure(
            "cpu_idle_share",
            1.0 - (service + database).as_secs_f64() / took.as_secs_f64() / processors(),
            "share",
        ),
    ])
}

/// Transactions and WAL of an execution, start included.
pub(super) async fn cost(server: &Server<'_>) -> Result<Vec<Figure>> {
    let bench = Bench::prepare(server).await?;
    let n = server.executions.min(20_000);
    let mut conn = bench.connect().await?;
    let before = counters(&mut conn).await?;
    bench.filler.fill(n).await?;
    bench.filler.close().await;
    let filled = counters(&mut conn).await?;
    bench.drain().await?;
    let drained = counters(&mut conn).await?;
    conn.close().await?;
    let looks = count(usize::try_from(bench.looks())?);
    bench.close().await?;
    let told = Told {
        setting: "in process",
        how: "pg_stat_database and pg_current_wal_insert_lsn before and after; full page images are in it",
    };
    let each = |it: f64| it / count(n);
    Ok(vec![
        told.figure("start_transactions", each(filled.0 - before.0), "per execution, in bulk"),
        told.figure("start_wal_bytes", each(filled.1 - before.1), "bytes per execution, in bulk"),
        told.figure("drain_transactions", each(drained.0 - filled.0 - looks), "per execution"),
        told.figure("drain_wal_bytes", each(drained.1 - filled.1), "bytes per execution"),
    ])
}

/// Transactions of this database, and the end of the WAL.
async fn counters(conn: &mut PgConnection) -> Result<(f64, f64)> {
    // A connection adds what it has counted when it ends, a little after it was closed.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let sql = "select (xact_commit + xact_rollback)::float8, (pg_current_wal_insert_lsn() - '0/0')::float8
               from pg_stat_database where datname = current_database()";
    Ok(sqlx::query_as(sql).fetch_one(conn).await?)
}

/// An engine that began on an empty database is given everything in one moment, beside one that began on a full queue.
pub(super) async fn hot(server: &Server<'_>) -> Result<Vec<Figure>> {
    let warm = plain(server).await?;
    let bench = Bench::prepare(server).await?;
    let engine = bench.start_engine()?;
    tokio::time::sleep(ALONE).await;
    bench.filler.fill_at_once(server.executions).await?;
    let began = Instant::now();
    engine.wake.work_of(bench.filler.org);
    bench.until_empty(bench.filler.org).await?;
    let hot = per_second(server.executions, began.elapsed());
    engine.stop().await?;
    bench.verify(server.executions).await?;
    bench.close().await?;
    let told = Told {
        setting: "started on an empty database",
        how: "all of it committed in one moment, no analyze; beside a drain of a full queue in the same round",
    };
    Ok(vec![
        told.figure("hot_per_second", hot, "executions/s"),
        told.figure("hot_ratio", hot / warm, "of the warm rate"),
    ])
}

async fn plain(server: &Server<'_>) -> Result<f64> {
    let bench = Bench::prepare(server).await?;
    bench.filler.fill(server.executions).await?;
    bench.analyze().await?;
    let rate = per_second(server.executions, bench.drain().await?);
    bench.verify(server.executions).await?;
    bench.close().await?;
    Ok(rate)
}

/// The rate beside a long history, and beside a long queue of another tenant, against empty tables.
pub(super) async fn flat(server: &Server<'_>) -> Result<Vec<Figure>> {
    let empty = plain(server).await?;

    let bench = Bench::prepare(server).await?;
    let past = bench.other(Kind::Noop).await?;
    history::write(&bench.owner, &past, server.finished).await?;
    bench.filler.fill(server.executions).await?;
    bench.analyze().await?;
    let finished = per_second(server.executions, bench.drain().await?);
    past.close().await;
    bench.close().await?;

    let bench = Bench::prepare(server).await?;
    let other = bench.other(Kind::Noop).await?;
    other.fill(server.queued).await?;
    bench.filler.fill(server.executions).await?;
    bench.analyze().await?;
    let took = bench.drain().await?;
    // Both take turns: what was done of the other's queue was done in the same time.
    let done = bench.done(bench.filler.org).await? + bench.done(other.org).await?;
    let queued = per_second(usize::try_from(done)?, took);
    other.close().await;
    bench.close().await?;

    let told = Told {
        setting: "on empty tables first",
        how: "the same drain beside so many; of the long queue, what both tenants had done when the smaller was empty",
    };
    let (past, waiting) = (server.finished, server.queued);
    Ok(vec![
        told.figure(
            "flat_finished_ratio",
            finished / empty,
            &format!("of the rate on empty tables, with {past} finished"),
        ),
        told.figure(
            "flat_queued_ratio",
            queued / empty,
            &format!("of the rate on empty tables, with {waiting} queued"),
        ),
    ])
}

fn micros(it: Duration) -> f64 {
    it.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn count(it: usize) -> f64 {
    it as f64
}

fn processors() -> f64 {
    count(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}
