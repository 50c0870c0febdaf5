//! Wake-ups between processes: hints that there is something to look at, and where.
//!
//! A hint may be lost, late, or about nothing; whoever takes one looks at the tables, and looks at them every so often without
//! one. Hints are gathered and sent by [`Notifier`] from a task and a connection of its own, never in a transaction that does
//! work: NOTIFY holds a lock of the whole cluster until its commit. [`Listener`] takes them in, on one connection outside the pool.
//!
//! Two channels, each by the ids that it names: [`OrganizationId`], there is new work that can be claimed, and [`ExecutionId`],
//! there are new events.

mod listener;
mod notifier;
#[cfg(test)]
mod tests;

pub use listener::Listener;
pub use notifier::Notifier;

use crate::{
    ids::{ExecutionId, OrganizationId},
    scope::Db,
};
use std::{
    collections::HashSet,
    fmt::Debug,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use uuid::Uuid;

/// Ids that one process keeps until somebody looks; when there are more, "everything" is shorter.
const IDS_MAX: usize = 10_000;

/// PostgreSQL takes payloads of less than 8,000 bytes.
const PAYLOAD_BYTES_MAX: usize = 7500;

/// An id that hints name, with the channel that is about such ids.
pub trait Hint: Copy + Debug + Eq + Hash + From<Uuid> + Send + Sync + 'static {
    const CHANNEL: &'static str;
    /// At most one NOTIFY in this time.
    const INTERVAL: Duration;

    fn uuid(self) -> Uuid;
}

/// The organization has new work that can be claimed.
impl Hint for OrganizationId {
    const CHANNEL: &'static str = "freehold_queue";
    const INTERVAL: Duration = Duration::from_millis(5);

    fn uuid(self) -> Uuid {
        self.0
    }
}

/// The execution has new events.
impl Hint for ExecutionId {
    const CHANNEL: &'static str = "freehold_events";
    const INTERVAL: Duration = Duration::from_millis(10);

    fn uuid(self) -> Uuid {
        self.0
    }
}

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake<T: Hint> {
    These(HashSet<T>),
    /// There were too many to name, or some may have been missed.
    Everything,
}

impl<T: Hint> Wake<T> {
    /// Ids with commas between them; empty for everything, and where the ids would not fit.
    fn payload(&self) -> String {
        let Self::These(ids) = self else { return String::new() };
        if PAYLOAD_BYTES_MAX < ids.len() * (uuid::fmt::Simple::LENGTH + 1) {
            return String::new();
        }
        let ids: Vec<_> = ids.iter().map(|it| it.uuid().simple().to_string()).collect();
        ids.join(",")
    }

    /// What is no list of ids means everything: it says that there was something.
    fn from_payload(payload: &str) -> Self {
        let ids = payload.split(',').map(|it| Uuid::try_parse(it).map(T::from));
        ids.collect::<Result<_, _>>().map_or(Self::Everything, Self::These)
    }
}

/// Hints that nobody has looked at yet: few or many, they are one [`Wake`].
#[derive(Debug)]
struct Gathered<T: Hint> {
    /// `None`: nothing.
    waiting: Mutex<Option<Wake<T>>>,
    some: Notify,
}

impl<T: Hint> Gathered<T> {
    fn new() -> Self {
        Self { waiting: Mutex::new(None), some: Notify::new() }
    }

    fn add(&self, wake: Wake<T>) {
        let mut waiting = self.lock();
        *waiting = Some(match (waiting.take(), wake) {
            (None, wake) => wake,
            (Some(Wake::These(mut all)), Wake::These(more)) => {
                all.extend(more);
                if all.len() <= IDS_MAX { Wake::These(all) } else { Wake::Everything }
            }
            (Some(Wake::Everything), _) | (_, Wake::Everything) => Wake::Everything,
        });
        drop(waiting);
        self.some.notify_one();
    }

    /// All that has come since the last time, if anything has.
    fn take(&self) -> Option<Wake<T>> {
        self.lock().take()
    }

    /// The same, once there is something. Nothing is lost when this is dropped while it waits.
    async fn next(&self) -> Wake<T> {
        loop {
            if let Some(wake) = self.take() {
                return wake;
            }
            self.some.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Wake<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a payload, in a transaction that does nothing else.
async fn send(db: &Db, channel: &str, payload: &str) -> sqlx::Result<()> {
    let mut connection = db.pool().acquire().await?;
    sqlx::query!("select pg_notify($1, $2)", channel, payload).execute(&mut *connection).await?;
    Ok(())
}
