//! Maintenance as a process that stays, where nothing else starts it every day.

use anyhow::{Error, Result};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After a failure the next round begins this soon, if it is not due sooner.
const RETRY: Duration = Duration::from_mins(10);

/// Does `round` every so often until `stop`; whatever is interrupted then, the next run finishes.
pub async fn again_and_again(
    every: Duration,
    mut round: impl AsyncFnMut() -> Result<()>,
    mut complain: impl FnMut(Error),
    stop: CancellationToken,
) {
    loop {
        let done = tokio::select! {
            done = round() => done,
            () = stop.cancelled() => return,
        };
        let pause = pause(every, done.is_err());
        if let Err(error) = done {
            complain(error);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

fn pause(every: Duration, failed: bool) -> Duration {
    if failed { every.min(RETRY) } else { every }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_repeated_sooner_and_never_later() {
        let (day, second) = (Duration::from_hours(24), Duration::from_secs(1));
        assert_eq!((pause(day, false), pause(day, true)), (day, RETRY));
        assert_eq!((pause(second, false), pause(second, true)), (second, second));
    }
}
