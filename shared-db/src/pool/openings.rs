//! Who waits for a connection to begin a transaction with, and how they would begin it: whoever commits meanwhile begins it for them, with the
//! message that commits.

use super::Connection;
use sqlx::SqlStr;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

#[derive(Clone, Debug, Default)]
pub(super) struct Openings(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    last: u64,
    waiting: BTreeMap<u64, Opening>,
    /// So many wait for a connection and begin nothing.
    others: usize,
}

/// How somebody would begin.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) sql: SqlStr,
    give: oneshot::Sender<Connection>,
}

/// A place in the queue, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    openings: Openings,
    number: u64,
    pub(super) begun: oneshot::Receiver<Connection>,
}

/// Somebody who waits and begins nothing.
#[derive(Debug)]
pub(super) struct Other(Openings);

impl Openings {
    pub(super) fn wait(&self, sql: SqlStr) -> Place {
        let (give, begun) = oneshot::channel();
        let mut queue = self.lock();
        queue.last += 1;
        let number = queue.last;
        queue.waiting.insert(number, Opening { sql, give });
        Place { openings: self.clone(), number, begun }
    }

    /// Waits for a connection without a wish for a transaction.
    pub(super) fn wait_for_none(&self) -> Other {
        self.lock().others += 1;
        Other(self.clone())
    }

    /// The one that has waited longest. Nobody while others wait: they are served by the pool alone, and connections that go from hand to hand
    /// never come back to it.
    pub(super) fn take(&self) -> Option<Opening> {
        let mut queue = self.lock();
        if 0 < queue.others {
            return None;
        }
        queue.waiting.pop_first().map(|(_, it)| it)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    /// Hands over a connection that has begun as they would. If they have gone away, it goes back into the pool.
    pub(super) fn give(self, connection: Connection) {
        drop(self.give.send(connection));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.openings.lock().waiting.remove(&self.number);
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.lock().others -= 1;
    }
}
