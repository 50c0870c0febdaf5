//! A closed loop: so many calls under way at any time, for so long.

use anyhow::Result;
use freehold_tests::client::Caller;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What was measured in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Calls a second.
    pub rate: f64,
    /// Milliseconds that half the calls stayed below.
    pub p50_ms: f64,
    /// Milliseconds that 99 of 100 calls stayed below.
    pub p99_ms: f64,
}

/// Numbers calls, over all rounds: what they make must be new.
static NEXT: AtomicU64 = AtomicU64::new(0);

pub(crate) async fn closed<'a, F, Done>(
    in_flight: usize,
    each: Duration,
    callers: &'a [Caller],
    call: F,
) -> Result<Sample>
where
    F: Fn(&'a Caller, u64) -> Done,
    Done: Future<Output = Result<()>>,
{
    let begin = Instant::now();
    let end = begin + each;
    let loops = (0..in_flight).map(|at| {
        let (caller, call) = (&callers[at % callers.len()], &call);
        async move {
            let mut took = Vec::new();
            while Instant::now() < end {
                let started = Instant::now();
                call(caller, NEXT.fetch_add(1, Ordering::Relaxed)).await?;
                took.push(started.elapsed());
            }
            anyhow::Ok(took)
        }
    });
    let mut took = futures_util::future::try_join_all(loops).await?.concat();
    let elapsed = begin.elapsed();
    took.sort_unstable();
    let percentile = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "counts of seconds of calls are small")]
    let rate = took.len() as f64 / elapsed.as_secs_f64();
    Ok(Sample { rate, p50_ms: percentile(50), p99_ms: percentile(99) })
}
