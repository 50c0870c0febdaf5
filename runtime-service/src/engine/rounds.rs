//! A loop that never ends by itself: what fails is tried again, more and more slowly; what panics is logged and begun anew.

use super::metrics::Metrics;
use futures_util::FutureExt;
use shared_db::error::Result;
use std::{future::Future, panic::AssertUnwindSafe, time::Duration};
use tokio_util::sync::CancellationToken;

const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(5);

/// The delays between failed rounds: they double up to a limit, with jitter so that replicas do not knock together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failed: u32,
}

impl Backoff {
    pub(super) fn reset(&mut self) {
        self.failed = 0;
    }

    pub(super) fn next(&mut self) -> Duration {
        let grown = DELAY_MIN.saturating_mul(1 << self.failed.min(10)).min(DELAY_MAX);
        self.failed += 1;
        grown.mul_f64(jitter())
    }
}

/// A factor around one.
pub(super) fn jitter() -> f64 {
    rand::random_range(0.75..1.25)
}

/// Runs `round` every `interval` until `stop`.
pub(super) async fn forever<F, R>(
    name: &'static str,
    metrics: Metrics,
    interval: Duration,
    stop: CancellationToken,
    round: F,
) where
    F: Fn() -> R,
    R: Future<Output = Result<()>>,
{
    let mut backoff = Backoff::default();
    loop {
        let pause = match AssertUnwindSafe(round()).catch_unwind().await {
            Ok(Ok(())) => {
                backoff.reset();
                interval.mul_f64(jitter())
            }
            Ok(Err(error)) => {
                metrics.fault(name);
                tracing::warn!(name, error = &error as &dyn std::error::Error, "a round failed");
                backoff.next()
            }
            Err(_) => {
                metrics.fault(name);
                tracing::error!(name, "a round panicked");
                backoff.next()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
