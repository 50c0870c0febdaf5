//! What this process holds: leases, kept alive together, and the word to each execution when it is to stop.

use super::{Core, rounds::forever};
use crate::store::{lease::Lease, queue};
use shared_db::{error::Result, ids::ExecutionId, scope::Scope};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What an execution at work is told, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    GoOn,
    /// The process stops: hand it back.
    Drain,
    /// Somebody asked to stop it.
    Cancel,
    /// The lease is gone: write nothing more.
    Lost,
}

struct Entry {
    lease: Lease,
    /// The lease holds until here by the clock of this process, which began to count before the database did.
    until: Instant,
    word: watch::Sender<Word>,
}

/// The executions at work in this process.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<ExecutionId, Entry>>);

impl Held {
    fn entries(&self) -> MutexGuard<'_, HashMap<ExecutionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.entries().len()
    }

    /// Takes up a lease that holds until `until`.
    pub(super) fn add(&self, lease: Lease, until: Instant) -> watch::Receiver<Word> {
        let (word, heard) = watch::channel(Word::GoOn);
        // The same execution under an older token can only be one that this process has lost.
        if let Some(old) = self.entries().insert(lease.execution, Entry { lease, until, word }) {
            say(&old.word, Word::Lost);
        }
        heard
    }

    fn remove(&self, lease: &Lease) {
        let mut entries = self.entries();
        if entries.get(&lease.execution).is_some_and(|it| it.lease == *lease) {
            entries.remove(&lease.execution);
        }
    }

    pub(super) fn drain(&self) {
        self.entries().values().for_each(|it| say(&it.word, Word::Drain));
    }

    pub(super) fn lose_all(&self) {
        self.entries().values().for_each(|it| say(&it.word, Word::Lost));
    }

    fn cancel(&self, executions: &[ExecutionId]) {
        let entries = self.entries();
        executions
            .iter()
            .filter_map(|it| entries.get(it))
            .for_each(|it| say(&it.word, Word::Cancel));
    }

    fn leases(&self) -> Vec<Lease> {
        self.entries().values().map(|it| it.lease).collect()
    }

    /// Of the leases that were to be renewed, those that were hold until `until`; the others are gone. Returns how many went.
    fn renewed(&self, asked: &[Lease], renewed: &[ExecutionId], until: Instant) -> usize {
        let mut entries = self.entries();
        let mut gone = 0;
        for lease in asked {
            let Some(entry) = entries.get_mut(&lease.execution) else { continue };
            if entry.lease != *lease {
                continue;
            }
            if renewed.contains(&lease.execution) {
                entry.until = until;
            } else {
                gone += 1;
                say(&entry.word, Word::Lost);
            }
        }
        gone
    }

    /// Gives up the leases that have ended by the clock of this process, because they could not be renewed.
    fn expire(&self, now: Instant) -> usize {
        let entries = self.entries();
        let ended = entries.values().filter(|it| it.until <= now);
        ended.inspect(|it| say(&it.word, Word::Lost)).count()
    }
}

/// Keeps a lease alive until it is dropped, by whatever way its task ends.
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

/// Starts the loops that renew leases, give them up in time, and ask who is to stop.
pub(super) fn spawn(core: &Arc<Core>, loops: &TaskTracker, stop: &CancellationToken) {
    let (renewing, expiring, asking) = (core.clone(), core.clone(), core.clone());
    let metrics = &core.metrics;
    let ttl = core.config.lease_ttl;
    loops.spawn(forever("renew", metrics.clone(), ttl / 3, stop.clone(), move || {
        renew(renewing.clone())
    }));
    loops.spawn(forever("expire", metrics.clone(), ttl / 10, stop.clone(), move || {
        let core = expiring.clone();
        async move {
            let ended = core.held.expire(Instant::now());
            if ended > 0 {
                tracing::warn!(ended, "leases could not be renewed in time");
            }
            Ok(())
        }
    }));
    let every = core.config.cancel_interval;
    loops.spawn(forever("cancel", metrics.clone(), every, stop.clone(), move || {
        ask(asking.clone())
    }));
}

async fn renew(core: Arc<Core>) -> Result<()> {
    let asked = core.held.leases();
    if asked.is_empty() {
        return Ok(());
    }
    let until = Instant::now() + core.config.lease_ttl;
    let renewed = core
        .bounded(async {
            let mut tx = core.db.begin(Scope::Platform).await?;
            let renewed = queue::renew(&mut tx, core.worker, core.config.lease_ttl, &asked).await?;
            tx.commit().await?;
            Ok(renewed)
        })
        .await?;
    let gone = core.held.renewed(&asked, &renewed, until);
    if gone > 0 {
        tracing::info!(gone, "leases are held by others now");
    }
    Ok(())
}

async fn ask(core: Arc<Core>) -> Result<()> {
    if core.held.count() == 0 {
        return Ok(());
    }
    let asked = core
        .bounded(async {
            let mut tx = core.db.begin(Scope::Platform).await?;
            queue::cancel_requested(&mut tx, core.worker).await
        })
        .await?;
    core.held.cancel(&asked);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_db::ids::OrganizationId;
    use std::time::Duration;

    fn lease(token: i64) -> Lease {
        let org = OrganizationId::generate();
        Lease { org, execution: ExecutionId::generate(), token }
    }

    #[tokio::test]
    async fn a_lease_that_was_not_renewed_is_lost_and_the_others_are_not() {
        let held = Held::default();
        let now = Instant::now();
        let (kept, gone) = (lease(1), lease(1));
        let (kept_word, gone_word) = (held.add(kept, now), held.add(gone, now));
        let later = now + Duration::from_secs(9);
        assert_eq!(held.renewed(&[kept, gone], &[kept.execution], later), 1);
        assert_eq!((*kept_word.borrow(), *gone_word.borrow()), (Word::GoOn, Word::Lost));
        held.remove(&gone);
        assert_eq!(held.expire(now + Duration::from_secs(8)), 0);
        assert_eq!(held.expire(later), 1);
        assert_eq!(*kept_word.borrow(), Word::Lost);
    }

    #[tokio::test]
    async fn an_answer_to_an_old_lease_does_not_touch_the_new_one() {
        let held = Held::default();
        let now = Instant::now();
        let old = lease(1);
        let new = Lease { token: 2, ..old };
        let old_word = held.add(old, now);
        let new_word = held.add(new, now);
        assert_eq!(held.renewed(&[old], &[], now), 0);
        held.remove(&old);
        assert_eq!(
            (*old_word.borrow(), *new_word.borrow(), held.count()),
            (Word::Lost, Word::GoOn, 1)
        );
    }

    #[tokio::test]
    async fn a_weaker_word_does_not_take_back_a_stronger() {
        let held = Held::default();
        let one = lease(1);
        let word = held.add(one, Instant::now());
        held.cancel(&[one.execution]);
        held.drain();
        assert_eq!(*word.borrow(), Word::Cancel);
        held.lose_all();
        assert_eq!(*word.borrow(), Word::Lost);
    }
}
