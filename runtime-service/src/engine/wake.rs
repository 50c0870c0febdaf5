//! Tells of new work and of new events: the engine of this process at once, other processes by hints. Looking at the tables finds both as
//! well.

use shared_db::{
    ids::{ExecutionId, OrganizationId},
    scope::Db,
    wake::{self, Listener, Notifier},
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Organizations that are remembered between two claims; looking at the queue finds the others.
const REMEMBERED_MAX: usize = 1000;

#[derive(Clone, Debug)]
pub struct Wake {
    hints: Arc<Hints>,
    work: Notifier<OrganizationId>,
    events: Notifier<ExecutionId>,
}

#[derive(Debug, Default)]
struct Hints {
    bell: Notify,
    waiting: Mutex<Waiting>,
}

/// What the next claim should look at.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) orgs: HashSet<OrganizationId>,
    /// There may be work of others too.
    pub(super) everything: bool,
}

impl Wake {
    pub(super) fn new(db: &Db) -> Self {
        Self {
            hints: Arc::default(),
            work: Notifier::new(db.clone()),
            events: Notifier::new(db.clone()),
        }
    }

    /// Something has changed for the engine of this process.
    pub(crate) fn notify(&self) {
        self.hints.bell.notify_one();
    }

    /// There is work of this organization, committed just now: here and for whoever else has a free hand.
    pub fn work_of(&self, org: OrganizationId) {
        self.hints.remember([org]);
        self.work.notify(org);
    }

    /// There are new events of this execution, committed just now.
    pub(crate) fn events_of(&self, execution: ExecutionId) {
        self.events.notify(execution);
    }

    pub(super) async fn heard(&self) {
        self.hints.bell.notified().await;
    }

    /// What was told of since the last time.
    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.hints.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends what has been gathered, because this process ends.
    pub(super) async fn flush(&self) {
        self.work.flush().await;
        self.events.flush().await;
    }
}

impl Hints {
    fn remember(&self, orgs: impl IntoIterator<Item = OrganizationId>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for org in orgs {
            if waiting.orgs.len() < REMEMBERED_MAX {
                waiting.orgs.insert(org);
            } else {
                waiting.everything = true;
            }
        }
        drop(waiting);
        self.bell.notify_one();
    }

    fn look_at_everything(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).everything = true;
        self.bell.notify_one();
    }
}

/// Starts to send hints to other processes, and to hear theirs.
pub(super) fn spawn(wake: &Wake, db: &Db, loops: &TaskTracker, stop: &CancellationToken) {
    loops.spawn(wake.work.clone().run(stop.clone()));
    loops.spawn(wake.events.clone().run(stop.clone()));
    let listener = Listener::<OrganizationId>::new(db.clone());
    loops.spawn(listener.clone().run(stop.clone()));
    let (hints, stop) = (wake.hints.clone(), stop.clone());
    loops.spawn(async move {
        loop {
            let heard = tokio::select! {
                heard = listener.next() => heard,
                () = stop.cancelled() => return,
            };
            match heard {
                wake::Wake::These(orgs) => hints.remember(orgs),
                wake::Wake::Everything => hints.look_at_everything(),
            }
        }
    });
}
