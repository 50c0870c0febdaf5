//! Times between the database (`chrono`) and the wire (`google.protobuf`).

use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use prost_types::{Duration, Timestamp};

pub fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos().cast_signed() }
}

/// The time that `field` of a request names.
pub fn time(field: &str, it: Timestamp) -> Result<DateTime<Utc>> {
    let nanos = u32::try_from(it.nanos).ok();
    nanos
        .and_then(|nanos| DateTime::from_timestamp(it.seconds, nanos))
        .ok_or_else(|| Error::invalid(field, "is not a time that exists"))
}

/// A column of milliseconds as a duration.
pub fn duration(millis: i64) -> Duration {
    let nanos = i32::try_from(millis % 1000 * 1_000_000).unwrap_or_default();
    Duration { seconds: millis / 1000, nanos }
}

/// The whole milliseconds of a duration that `field` of a request names. What is shorter than one counts as one.
pub fn millis(field: &str, it: Duration) -> Result<i64> {
    let nanos = i64::from(it.nanos);
    let millis = it.seconds.checked_mul(1000).and_then(|it| it.checked_add(nanos / 1_000_000));
    match millis {
        Some(0) if 0 < nanos => Ok(1),
        Some(millis) => Ok(millis),
        None => Err(Error::invalid(field, "is longer than any time")),
    }
}
