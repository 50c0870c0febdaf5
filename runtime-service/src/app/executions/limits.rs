//! How long an execution may take, and when it may begin.

use crate::store::executions::Limits;
use chrono::{DateTime, TimeDelta, Utc};
use common_api::types::TimeLimits;
use prost_types::Timestamp;
use shared_db::{
    error::{Error, Result},
    wire,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What is taken when nothing is said, and the most that can be said.
const QUEUE: (Duration, Duration) = (DAY, DAY.saturating_mul(30));
const ATTEMPT: (Duration, Duration) = (HOUR, DAY);
const TOTAL: (Duration, Duration) = (DAY.saturating_mul(2), DAY.saturating_mul(90));

/// How far ahead an execution may be put.
const AHEAD_MAX: TimeDelta = TimeDelta::days(366);

/// The limits of a request, with the service's own where it names none.
pub(super) fn read(limits: Option<TimeLimits>) -> Result<Limits> {
    let limits = limits.unwrap_or_default();
    Ok(Limits {
        queue: limit("time_limits.queue", limits.queue, QUEUE)?,
        attempt: limit("time_limits.attempt", limits.attempt, ATTEMPT)?,
        total: limit("time_limits.total", limits.total, TOTAL)?,
    })
}

fn limit(
    field: &str,
    said: Option<prost_types::Duration>,
    (default, max): (Duration, Duration),
) -> Result<Duration> {
    match said.map(|it| wire::millis(field, it)).transpose()? {
        None | Some(0) => Ok(default),
        Some(millis) => (u64::try_from(millis).ok())
            .map(Duration::from_millis)
            .filter(|it| *it <= max)
            .ok_or_else(|| Error::invalid(field, format!("must be 1 ms to {} s", max.as_secs()))),
    }
}

/// The time before which the execution does not begin. Whether it has passed is for the database to say: the clock here may differ.
pub(super) fn not_before(
    now: DateTime<Utc>,
    said: Option<Timestamp>,
) -> Result<Option<DateTime<Utc>>> {
    let Some(said) = said else { return Ok(None) };
    let at = wire::time("not_before", said)?;
    if now + AHEAD_MAX < at {
        return Err(Error::invalid("not_before", "must not be more than a year ahead"));
    }
    Ok(Some(at))
}
