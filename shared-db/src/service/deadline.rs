//! The caller's deadline, known to everything that runs for the call: statements, calls downstream, streams.

use super::{config::Limits, methods::Method};
use crate::error::{Error, Result};
use http::HeaderMap;
use std::{future::Future, time::Duration};
use tokio::time::Instant;

/// The answer leaves a little before the caller stops waiting for it: a tenth of the time, at most this.
const MARGIN_MAX: Duration = Duration::from_millis(50);

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

/// The same for one step of a stream.
pub(crate) fn with_sync<T>(deadline: Option<Instant>, step: impl FnOnce() -> T) -> T {
    match deadline {
        Some(at) => DEADLINE.sync_scope(at, step),
        None => step(),
    }
}

/// Runs `future` under a deadline, and gives it up when the deadline passes.
pub(crate) async fn within<T, E: From<Error>>(
    deadline: Option<Instant>,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    // On the heap at once: what is wrapped around it would else move it.
    let future = Box::pin(future);
    let Some(at) = deadline else { return future.await };
    match tokio::time::timeout_at(at, DEADLINE.scope(at, future)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::DeadlineExceeded.into()),
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

/// When a call of `method` that came with `headers` must be answered.
pub(crate) fn of(headers: &HeaderMap, method: &Method, limits: &Limits) -> Result<Option<Instant>> {
    let asked = match headers.get("grpc-timeout") {
        Some(value) => Some(value.to_str().ok().and_then(parse).ok_or_else(|| {
            Error::invalid("grpc-timeout", "must be up to 8 digits and a unit of H, M, S, m, u, n")
        })?),
        None => None,
    };
    let timeout = match (asked, method.is_stream()) {
        (None, true) => return Ok(None),
        (Some(asked), true) => asked,
        (asked, false) => asked.unwrap_or(limits.deadline_default).min(limits.deadline_max),
    };
    // Too far off to count in means none.
    Ok(Instant::now().checked_add(timeout.saturating_sub((timeout / 10).min(MARGIN_MAX))))
}

/// Reads a `grpc-timeout`.
fn parse(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}
