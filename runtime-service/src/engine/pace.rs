//! Makes room for what somebody waits for: while single starts come in, statements of many rows are sent one at a time, and are shorter.
//!
//! A tenant's flood keeps every core of the database busy with claims and ends, as it should while nobody waits. A start that comes in
//! then needs a handful of short statements one after the other, and would stand behind a long one at each of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// For so long after a start it is expected that another comes.
const EXPECTED_FOR: Duration = Duration::from_millis(250);

/// Statements of no more rows are as short as those of a single start.
const SHORT: usize = 32;

/// Most rows of a statement while somebody waits.
const ROWS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Pace {
    since: Instant,
    /// Until when starts are expected, in milliseconds since the beginning.
    until: Arc<AtomicU64>,
    long: Arc<Semaphore>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            until: Arc::new(AtomicU64::new(0)),
            long: Arc::new(Semaphore::new(1)),
        }
    }

    /// Somebody waits for the start of an execution.
    pub(crate) fn asked(&self) {
        self.until.store(self.millis(Instant::now() + EXPECTED_FOR), Ordering::Relaxed);
    }

    /// How many of `rows` a statement should be about now.
    pub(super) fn rows(&self, rows: usize) -> usize {
        if self.is_asked() { rows.min(ROWS_MAX) } else { rows }
    }

    /// Waits until a statement about so many rows may be sent; what is returned is held while it is under way.
    pub(super) async fn turn(&self, rows: usize) -> Option<OwnedSemaphorePermit> {
        if rows <= SHORT || !self.is_asked() {
            return None;
        }
        // It is never closed.
        self.long.clone().acquire_owned().await.ok()
    }

    /// Whether somebody waits, or is expected to.
    pub(super) fn is_asked(&self) -> bool {
        self.millis(Instant::now()) < self.until.load(Ordering::Relaxed)
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from((at - self.since).as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{sleep, timeout};

    #[tokio::test]
    async fn long_statements_are_sent_one_at_a_time_while_somebody_waits() {
        let pace = Pace::new();
        assert_eq!(pace.rows(500), 500);
        assert!(pace.turn(500).await.is_none());
        pace.asked();
        assert_eq!(pace.rows(500), ROWS_MAX);
        let first = pace.turn(500).await;
        assert!(first.is_some());
        assert!(pace.turn(SHORT).await.is_none(), "short ones wait for nobody");
        let second = timeout(Duration::from_millis(100), pace.turn(500)).await;
        assert!(second.is_err(), "two at a time");
        drop(first);
        assert!(pace.turn(500).await.is_some());
        sleep(EXPECTED_FOR * 2).await;
        assert!(pace.turn(500).await.is_none());
        assert_eq!(pace.rows(500), 500);
    }
}
