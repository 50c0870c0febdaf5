//! Moments of the monotonic clock as times of the wall clock, which the tables have too.

use chrono::{DateTime, TimeDelta, Utc};
use shared_db::clock::Clock;
use std::time::{Duration, Instant};

pub type Time = DateTime<Utc>;

/// By how much two clocks may seem apart. They are the same clock, read at different moments.
pub const SLACK: TimeDelta = TimeDelta::milliseconds(5);

/// Now, by the clock that all processes of this machine share.
pub fn now() -> Time {
    Clock::System.now()
}

/// The two clocks, read together.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    monotonic: Instant,
    wall: Time,
}

impl Clocks {
    pub fn read() -> Self {
        Self { monotonic: Instant::now(), wall: now() }
    }

    pub fn wall(&self, at: Instant) -> Time {
        self.wall + delta(at.saturating_duration_since(self.monotonic))
    }
}

pub fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
