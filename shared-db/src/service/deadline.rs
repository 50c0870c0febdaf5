//! The caller's deadline, known to everything that runs for the call: statements, calls downstream, streams.

use std::{future::Future, time::Duration};
use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `future` under a deadline that [`current`] and [`remaining`] report.
pub async fn with<F: Future>(deadline: Option<Instant>, future: F) -> F::Output {
    match deadline {
        Some(at) => DEADLINE.scope(at, future).await,
        None => future.await,
    }
}

/// When the current call must be answered.
pub fn current() -> Option<Instant> {
    DEADLINE.try_with(|it| *it).ok()
}

/// How long the current call may still take.
pub fn remaining() -> Option<Duration> {
    current().map(|at| at.saturating_duration_since(Instant::now()))
}
