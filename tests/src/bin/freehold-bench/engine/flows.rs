//! Work that comes as fast as it is done: over minutes, and while another session holds a snapshot.

use super::{Server, bench::Bench, told::Told};
use crate::figures::Figure;
use anyhow::{Context, Result};
use sqlx::{Connection, Executor, PgConnection};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// What is kept in the queue: more than an engine does while statistics are on their way, which is a second.
const BACKLOG: i64 = 60_000;
const PORTION: usize = 5_000;

/// Not measured: connections are made, and the first statistics come.
const WARM_UP: Duration = Duration::from_secs(4);

/// Executions that had ended at a moment.
type Sample = (Instant, i64);

/// The rate of the last minute beside that of the first, or of halves and less where there are not two minutes.
pub(super) async fn sustained(server: &Server<'_>) -> Result<Vec<Figure>> {
    let bench = Bench::prepare(server).await?;
    let length = server.sustained;
    let samples = flow(&bench, length).await?;
    bench.close().await?;
    let window = Duration::from_mins(1).min(length / 2);
    let (first, last) =
        (samples.first().context("no sample")?, samples.last().context("no sample")?);
    let early = rate(samples.iter().filter(|it| it.0 - first.0 <= window));
    let late = rate(samples.iter().filter(|it| last.0 - it.0 <= window));
    let told = Told {
        setting: "filled as it is drained",
        how: "ends counted from statistics; autovacuum is on",
    };
    let (window, length) = (window.as_secs(), length.as_secs());
    let what = format!("executions/s, first {window} s of {length} s");
    Ok(vec![
        told.figure("sustained_first_per_second", early, &what),
        told.figure("sustained_ratio", late / early, &format!("of it in the last {window} s")),
    ])
}

/// The rate while a session holds a snapshot, beside the same without.
pub(super) async fn snapshot(server: &Server<'_>) -> Result<Vec<Figure>> {
    let bench = Bench::prepare(server).await?;
    let clean = rate(flow(&bench, server.snapshot).await?.iter());
    bench.close().await?;

    let bench = Bench::prepare(server).await?;
    let mut holder = bench.connect().await?;
    holder
        .execute("begin isolation level repeatable read; select count(*) from runtime.agents")
        .await?;
    let held = rate(flow(&bench, server.snapshot).await?.iter());
    holder.execute("rollback").await?;
    holder.close().await?;
    bench.close().await?;
    let told = Told {
        setting: "filled as it is drained",
        how: "another session in repeatable read, its snapshot taken before anything was queued",
    };
    let length = server.snapshot.as_secs();
    Ok(vec![
        told.figure("snapshot_clean_per_second", clean, &format!("executions/s over {length} s")),
        told.figure("snapshot_ratio", held / clean, "of it while a snapshot is held"),
    ])
}

/// Keeps the queue filled while an engine drains it.
async fn flow(bench: &Bench, length: Duration) -> Result<Vec<Sample>> {
    let mut looker = bench.connect().await?;
    let engine = bench.start_engine()?;
    let over = AtomicBool::new(false);
    let fill = async {
        let (mut conn, mut started) = (bench.connect().await?, 0);
        while !over.load(Ordering::Relaxed) {
            if started - ended(&mut conn).await? < BACKLOG {
                bench.filler.fill(PORTION).await?;
                started += i64::try_from(PORTION)?;
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        anyhow::Ok(conn.close().await?)
    };
    let look = async {
        tokio::time::sleep(WARM_UP).await;
        let (mut samples, began) = (Vec::new(), Instant::now());
        while began.elapsed() < length {
            samples.push((Instant::now(), ended(&mut looker).await?));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        samples.push((Instant::now(), ended(&mut looker).await?));
        over.store(true, Ordering::Relaxed);
        anyhow::Ok(samples)
    };
    let ((), samples) = tokio::try_join!(fill, look)?;
    engine.stop().await?;
    looker.close().await?;
    Ok(samples)
}

/// Queue rows that were deleted, which is how executions end here; counting rows would cost more the more there are.
async fn ended(conn: &mut PgConnection) -> Result<i64> {
    let sql = "select n_tup_del from pg_stat_user_tables where schemaname = 'runtime' and relname = 'execution_queue'";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

fn rate<'s>(mut samples: impl Iterator<Item = &'s Sample>) -> f64 {
    let Some(first) = samples.next() else { return f64::NAN };
    let last = samples.last().unwrap_or(first);
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let ended = (last.1 - first.1) as f64;
    ended / (last.0 - first.0).as_secs_f64()
}
