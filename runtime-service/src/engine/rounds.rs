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
                tracing::warn!(name, error = %shared_db::error::chain(&error), "a round failed");
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared_db::error::Error;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    #[tokio::test]
    async fn a_loop_goes_on_after_errors_and_panics_until_it_is_stopped() {
        let (rounds, stop) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let (counted, stopped) = (rounds.clone(), stop.clone());
        let round = move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            if number == 9 {
                stopped.cancel();
            }
            async move {
                match number % 3 {
                    0 => Err(Error::DeadlineExceeded),
                    1 => panic!("on purpose"),
                    _ => Ok(()),
                }
            }
        };
        forever("test", Metrics::new(), Duration::from_millis(1), stop, round).await;
        assert_eq!(rounds.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn delays_after_failures_grow_to_a_limit() {
        let mut backoff = Backoff::default();
        let delays: Vec<_> = (0..20).map(|_| backoff.next()).collect();
        assert!(delays[0] < Duration::from_millis(126));
        assert!(delays[19] <= DELAY_MAX.mul_f64(1.25) && delays[19] > DELAY_MAX.mul_f64(0.7));
        backoff.reset();
        assert!(backoff.next() < Duration::from_millis(126));
    }
}
