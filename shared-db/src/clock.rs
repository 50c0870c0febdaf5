//! Time comes in through here, so that a test can hold it.

use chrono::{DateTime, Utc};
use std::sync::{Arc, Mutex};

/// The wall clock, or one that a test sets. Leases never use it: they go by the database's clock.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    Held(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// A clock that stands still until it is set.
    pub fn held(at: DateTime<Utc>) -> Self {
        Self::Held(Arc::new(Mutex::new(at)))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Held(at) => *at.lock().expect("no holder panics"),
        }
    }

    /// Moves a held clock. The system's is left alone.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Self::Held(at) = self {
            *at.lock().expect("no holder panics") = to;
        }
    }
}
