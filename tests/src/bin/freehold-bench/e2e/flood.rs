//! One tenant floods the queue; another starts single executions.

use super::{
    EndToEnd,
    latency::{self, percentile},
};
use crate::{
    engine::{
        Told,
        fill::{Filler, Kind},
    },
    figures::Figure,
};
use anyhow::{Result, ensure};
use freehold_tests::database;
use shared_db::scope::Service;

/// At this rate for so many seconds: five hundred waits, of which five are beyond the 99th percentile.
const PER_SECOND: u32 = 20;
const SECONDS: u64 = 25;
/// A short flood is over before that.
const SECONDS_SHORT: u64 = 10;

pub(super) async fn measure(on: &EndToEnd, size: usize) -> Result<Vec<Figure>> {
    let seconds = if size < 1_000_000 { SECONDS_SHORT } else { SECONDS };
    let idle = latency::at(on, PER_SECOND, seconds).await?;
    let runtime = database::db(&on.runtime_url, Service::Runtime);
    let flood = Filler::prepare(&on.owner, runtime, Kind::Noop).await?;
    flood.fill(size).await?;
    let flooded = latency::at(on, PER_SECOND, seconds).await?;
    let left = sqlx::query("delete from runtime.execution_queue where org_id = $1")
        .bind(flood.org().0)
        .execute(&on.owner)
        .await?
        .rows_affected();
    flood.close().await;
    ensure!(left > 0, "the flood was over before the end: give a larger --flood");
    let p99 = |of: &[f64]| percentile(of, 99);
    let (before, during) = (p99(&idle.begun), p99(&flooded.begun));
    let (done_before, done_during) = (p99(&idle.done), p99(&flooded.done));
    let told = Told {
        setting: "through web, 20 a second",
        how: "from the caller's StartExecution, while the queue of another tenant is drained",
    };
    Ok(vec![
        told.figure(
            "flood_idle_p50",
            percentile(&idle.begun, 50),
            "ms to the worker's begin, idle",
        ),
        told.figure("flood_idle_p99", before, "ms to the worker's begin, idle"),
        told.figure(
            "flood_answered_p50",
            percentile(&flooded.answered, 50),
            "ms to the answer of the start",
        ),
        told.figure(
            "flood_p50",
            percentile(&flooded.begun, 50),
            &format!("ms to the worker's begin, behind {size} of another tenant"),
        ),
        told.figure("flood_p99", during, "ms to the worker's begin, behind them"),
        told.figure("flood_ratio", during / before, "of the p99 without the flood"),
        told.figure("flood_done_p99", done_during, "ms to the first step written down as done"),
        told.figure("flood_done_ratio", done_during / done_before, "of the p99 without the flood"),
    ])
}
