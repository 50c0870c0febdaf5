//! All that is watched in this process, and who watches it.

use super::{metrics::Metrics, subject::Subject};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{ExecutionId, OrganizationId},
    scope::Db,
    wake::Listener,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Batches that are read at once for those who are behind; the pool serves others as well.
const BATCH_READERS: usize = 4;

pub(super) type Key = (OrganizationId, ExecutionId);

/// Clones are one.
#[derive(Clone, Debug)]
pub struct Hub(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) hints: Listener<ExecutionId>,
    pub(super) metrics: Metrics,
    /// Something is watched that was not watched before.
    pub(super) opened: Notify,
    watched: Mutex<HashMap<Key, Watched>>,
    batch_readers: Arc<Semaphore>,
    /// Places of calls that wait.
    waiting: Arc<Semaphore>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Watched {
    subject: Arc<Subject>,
    watchers: usize,
}

/// One who watches an execution, for as long as this lives.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) hub: Hub,
    pub(super) subject: Arc<Subject>,
}

impl Hub {
    /// `stop` ends all that watch: the service is stopping. At most `waiting_max` calls wait at once.
    pub fn new(db: Db, waiting_max: usize, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            hints: Listener::new(db.clone()),
            db,
            metrics: Metrics::new(),
            opened: Notify::new(),
            watched: Mutex::default(),
            batch_readers: Arc::new(Semaphore::new(BATCH_READERS)),
            waiting: Arc::new(Semaphore::new(waiting_max)),
            stop,
        }))
    }

    /// Where hints of new events come in; it needs somebody to run it.
    pub fn hints(&self) -> Listener<ExecutionId> {
        self.0.hints.clone()
    }

    /// A place for a call that waits. They are counted, as each keeps a place of other calls while it does nothing.
    pub(super) fn enter_waiting(&self) -> Result<OwnedSemaphorePermit> {
        self.0.waiting.clone().try_acquire_owned().map_err(|_| Error::Exhausted {
            reason: Reason::Overloaded,
            problem: "as many calls as may wait here at once; watch, or repeat in a moment".into(),
        })
    }

    /// Watches an execution of the organization. Fails if there is none.
    pub(super) async fn join(&self, org: OrganizationId, id: ExecutionId) -> Result<Member> {
        let member = self.member((org, id));
        member.subject.open().await?;
        if member.subject.is_open() {
            self.0.opened.notify_one();
        }
        Ok(member)
    }

    fn member(&self, key: Key) -> Member {
        let mut watched = self.lock();
        let entry = watched.entry(key).or_insert_with(|| {
            self.0.metrics.executions.add(1, &[]);
            let readers = self.0.batch_readers.clone();
            let subject = Subject::new(key, self.0.db.clone(), self.0.metrics.clone(), readers);
            Watched { subject: Arc::new(subject), watchers: 0 }
        });
        entry.watchers += 1;
        self.0.metrics.watchers.add(1, &[]);
        Member { hub: self.clone(), subject: entry.subject.clone() }
    }

    /// All of which there may be news.
    pub(super) fn open_subjects(&self) -> Vec<Arc<Subject>> {
        let watched = self.lock();
        watched.values().map(|it| &it.subject).filter(|it| it.is_open()).cloned().collect()
    }

    /// Nobody joins it any more; whoever comes next begins anew.
    pub(super) fn forget(&self, subject: &Arc<Subject>) {
        let mut watched = self.lock();
        let key = (subject.org, subject.id);
        if watched.get(&key).is_some_and(|it| Arc::ptr_eq(&it.subject, subject)) {
            watched.remove(&key);
            self.0.metrics.executions.add(-1, &[]);
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    pub(super) async fn stopping(&self) {
        self.0.stop.cancelled().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Watched>> {
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.0.metrics.watchers.add(-1, &[]);
        let mut watched = self.hub.lock();
        let key = (self.subject.org, self.subject.id);
        let Some(entry) = watched.get_mut(&key) else { return };
        if !Arc::ptr_eq(&entry.subject, &self.subject) {
            return;
        }
        entry.watchers -= 1;
        if entry.watchers == 0 {
            watched.remove(&key);
            self.hub.0.metrics.executions.add(-1, &[]);
        }
    }
}
