//! What this process holds: its one lease on all of it, kept alive, and the word to each execution when it is to stop.

use super::{Core, rounds::forever, state::Verb, write::leave};
use crate::store::{
    lease::{Lease, WriteError},
    queue::Leave,
    workers::{self, Holding as Row},
};
use shared_db::{
    error::Result,
    ids::{ExecutionId, WorkerId},
    scope::Scope,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What an execution at work is told, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    GoOn,
    /// Somebody asked to pause it.
    Pause,
    /// The process stops: hand it back, or leave it to whoever asked to pause it.
    Drain,
    /// Somebody asked to stop it.
    Cancel,
    /// The lease is gone: write nothing more.
    Lost,
}

struct Entry {
    lease: Lease,
    word: watch::Sender<Word>,
}

/// As whom this process holds, and until when by its own clock, which began to count before the database did.
#[derive(Clone, Copy, Debug)]
struct Identity {
    worker: WorkerId,
    until: Instant,
}

/// The executions at work in this process.
#[derive(Default)]
pub(crate) struct Held {
    entries: Mutex<HashMap<ExecutionId, Entry>>,
    /// The process stops: what it takes up from now on is handed back as well. Changed and read under the lock of the entries.
    drains: AtomicBool,
    identity: Mutex<Option<Identity>>,
    /// What the queue says that this process holds and this process does not know: if it still does the next time, it is nobody's.
    strays: Mutex<HashSet<Lease>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Held {
    pub(crate) fn count(&self) -> usize {
        locked(&self.entries).len()
    }

    /// As whom this process may hold work; `None` while it is not known to be alive.
    fn worker(&self, now: Instant) -> Option<WorkerId> {
        locked(&self.identity).filter(|it| now < it.until).map(|it| it.worker)
    }

    fn become_known(&self, worker: WorkerId, until: Instant) {
        *locked(&self.identity) = Some(Identity { worker, until });
    }

    /// Takes up a lease.
    pub(super) fn add(&self, lease: Lease) -> watch::Receiver<Word> {
        let mut entries = locked(&self.entries);
        let first = if self.drains.load(Ordering::Relaxed) { Word::Drain } else { Word::GoOn };
        let (word, heard) = watch::channel(first);
        // The same execution under an older token can only be one that this process has lost.
        if let Some(old) = entries.insert(lease.execution, Entry { lease, word }) {
            say(&old.word, Word::Lost);
        }
        heard
    }

    fn remove(&self, lease: &Lease) {
        let mut entries = locked(&self.entries);
        if entries.get(&lease.execution).is_some_and(|it| it.lease == *lease) {
            entries.remove(&lease.execution);
        }
    }

    pub(super) fn drain(&self) {
        let entries = locked(&self.entries);
        self.drains.store(true, Ordering::Relaxed);
        entries.values().for_each(|it| say(&it.word, Word::Drain));
    }

    pub(super) fn lose_all(&self) {
        locked(&self.entries).values().for_each(|it| say(&it.word, Word::Lost));
    }

    /// Passes on what was asked of executions that are still held as they were then.
    fn pass_on(&self, asked: &[Row]) {
        let entries = locked(&self.entries);
        for row in asked {
            let word = if row.cancel_requested { Word::Cancel } else { Word::Pause };
            if let Some(entry) =
                entries.get(&row.execution).filter(|it| it.lease.token == row.token)
            {
                say(&entry.word, word);
            }
        }
    }

    /// Compares with what the queue says. `before` are the leases that were held when it was asked. Returns the rows that nobody in this
    /// process has done anything about since the last comparison, and how many leases were lost.
    fn compare(&self, before: &[Lease], rows: &[Row]) -> (Vec<Row>, usize) {
        let theirs: HashMap<_, _> = rows.iter().map(|it| (it.execution, it.token)).collect();
        let entries = locked(&self.entries);
        let mut lost = 0;
        for lease in before.iter().filter(|it| theirs.get(&it.execution) != Some(&it.token)) {
            if let Some(entry) = entries.get(&lease.execution).filter(|it| it.lease == *lease) {
                lost += 1;
                say(&entry.word, Word::Lost);
            }
        }
        let unknown: Vec<_> = (rows.iter().copied())
            .filter(|row| entries.get(&row.execution).is_none_or(|it| it.lease.token != row.token))
            .collect();
        let mut strays = locked(&self.strays);
        let again = unknown.iter().copied().filter(|it| strays.contains(&it.lease())).collect();
        *strays = unknown.iter().map(Row::lease).collect();
        (again, lost)
    }

    fn leases(&self) -> Vec<Lease> {
        locked(&self.entries).values().map(|it| it.lease).collect()
    }

    /// Whether an execution is still this process's by its own clock. Whoever was frozen finds out here, before it touches anything outside.
    pub(super) fn holds(&self, lease: &Lease, now: Instant) -> bool {
        let is_kept = |it: &Entry| it.lease == *lease && *it.word.borrow() < Word::Lost;
        self.worker(now).is_some()
            && locked(&self.entries).get(&lease.execution).is_some_and(is_kept)
    }

    /// Gives everything up when the lease has ended by the clock of this process, because it could not be renewed.
    fn expire(&self, now: Instant) -> bool {
        let ended = locked(&self.identity).take_if(|it| it.until <= now).is_some();
        if ended {
            self.lose_all();
        }
        ended
    }
}

/// Keeps an execution known as held until it is dropped, by whatever way its task ends.
pub(super) struct Holding {
    pub(super) core: Arc<Core>,
    pub(super) lease: Lease,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.core.held.remove(&self.lease);
    }
}

/// A stronger word is never taken back by a weaker one.
fn say(to: &watch::Sender<Word>, word: Word) {
    to.send_if_modified(|said| {
        let stronger = *said < word;
        if stronger {
            *said = word;
        }
        stronger
    });
}

/// Starts the loops that keep this worker alive, give up in time, and ask who is to stop.
pub(super) fn spawn(core: &Arc<Core>, loops: &TaskTracker, stop: &CancellationToken) {
    let (renewing, expiring, asking, comparing) =
        (core.clone(), core.clone(), core.clone(), core.clone());
    let metrics = &core.metrics;
    let ttl = core.config.lease_ttl;
    loops.spawn(forever("renew", metrics.clone(), ttl / 3, stop.clone(), move || {
        renew(renewing.clone())
    }));
    loops.spawn(forever("compare", metrics.clone(), ttl / 3, stop.clone(), move || {
        compare(comparing.clone())
    }));
    loops.spawn(forever("expire", metrics.clone(), ttl / 10, stop.clone(), move || {
        let core = expiring.clone();
        async move {
            if core.held.expire(Instant::now()) {
                tracing::warn!("the lease of this worker could not be renewed in time");
            }
            Ok(())
        }
    }));
    let every = core.config.cancel_interval;
    loops.spawn(forever("cancel", metrics.clone(), every, stop.clone(), move || {
        ask(asking.clone())
    }));
}

/// Makes this process known as a worker, or keeps it so. Whoever was taken for dead begins anew under another name, since what it held
/// may be somebody else's.
pub(super) async fn renew(core: Arc<Core>) -> Result<()> {
    let (now, ttl) = (Instant::now(), core.config.lease_ttl);
    let known = core.held.worker(now);
    if known.is_none() {
        // What an earlier name held is not held by the next.
        core.held.expire(now);
    }
    let worker = known.unwrap_or_else(WorkerId::generate);
    let alive = core
        .bounded(async {
            let mut tx = core.db.begin(Scope::Platform).await?;
            let alive = match known {
                Some(_) => workers::renew(&mut tx, worker, ttl).await?,
                None => workers::register(&mut tx, worker, ttl).await.map(|()| true)?,
            };
            tx.commit().await?;
            Ok(alive)
        })
        .await?;
    if alive {
        core.held.become_known(worker, now + ttl);
        if known.is_none() {
            tracing::info!(%worker, "this process is a worker now");
            core.wake.notify();
        }
        return Ok(());
    }
    tracing::warn!(%worker, "this worker was taken for dead; it begins anew");
    core.held.expire(now + ttl);
    Box::pin(renew(core)).await
}

/// A process that stops is no worker any more; what it could not hand back is everybody's at once.
pub(super) async fn forget(core: &Core) {
    let Some(worker) = core.identity() else { return };
    let forgotten = core
        .bounded(async {
            let mut tx = core.db.begin(Scope::Platform).await?;
            workers::remove(&mut tx, worker).await?;
            tx.commit().await
        })
        .await;
    if let Err(error) = forgotten {
        tracing::warn!(error = %shared_db::error::chain(&error), "the lease of this worker will expire");
    }
}

/// Learns which leases are gone, and lets go of rows that nobody here works on: their claim was committed and its answer lost, or their
/// turn ended without being able to write.
async fn compare(core: Arc<Core>) -> Result<()> {
    let Some(worker) = core.identity() else { return Ok(()) };
    let before = core.held.leases();
    let rows = core
        .bounded(async {
            let mut tx = core.begin_by_key().await?;
            workers::holdings(&mut tx, worker).await
        })
        .await?;
    let (strays, lost) = core.held.compare(&before, &rows);
    if lost > 0 {
        tracing::info!(lost, "leases are held by others now");
    }
    for stray in strays {
        core.bounded(let_go(&core, stray.lease())).await?;
    }
    Ok(())
}

async fn let_go(core: &Core, lease: Lease) -> Result<()> {
    let mut tx = core.begin_by_key().await?;
    match leave(&mut tx, &lease, Verb::Expire, Leave { lost: true, ..Leave::AT_ONCE }).await {
        Ok(()) => tx.commit().await?,
        Err(WriteError::Fenced) => return Ok(()),
        Err(WriteError::Store(error)) => return Err(error),
    }
    tracing::warn!(execution = %lease.execution, "nobody worked on it; it is back in the queue");
    core.metrics.lease_lost();
    core.wake.work_of(lease.org);
    Ok(())
}

async fn ask(core: Arc<Core>) -> Result<()> {
    let Some(worker) = core.identity().filter(|_| core.held.count() > 0) else { return Ok(()) };
    let asked = core
        .bounded(async {
            let mut tx = core.begin_in_order().await?;
            workers::asked(&mut tx, worker).await
        })
        .await?;
    core.held.pass_on(&asked);
    Ok(())
}

impl Core {
    /// As whom this process claims; `None` while it is not known to be alive.
    pub(crate) fn identity(&self) -> Option<WorkerId> {
        self.held.worker(Instant::now())
    }
}

#[cfg(test)]
mod tests;
