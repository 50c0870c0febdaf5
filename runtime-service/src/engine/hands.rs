//! The hands of a worker: how many executions it does at a time.

use super::backlog::Backlog;
use shared_db::ids::OrganizationId;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One hand of so many is kept, while single starts come in, for those who have nothing in the queue.
const KEPT_SHARE: usize = 16;

#[derive(Clone, Debug)]
pub(crate) struct Hands {
    free: Arc<Semaphore>,
    count: u32,
    kept: usize,
    /// Whose work waits in the queue: what is new has to stand behind it.
    backlog: Backlog,
}

impl Hands {
    pub(super) fn new(count: u32, backlog: Backlog) -> Self {
        let all = count as usize;
        Self { free: Arc::new(Semaphore::new(all)), count, kept: all / KEPT_SHARE, backlog }
    }

    /// Waits until a hand is free, and says how many are.
    pub(super) async fn free(&self) -> usize {
        match self.free.acquire().await {
            Ok(first) => {
                drop(first);
                self.free.available_permits().max(1)
            }
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits for a hand.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// Waits until all hands are free, and takes them: nobody else gets one until they are given back.
    pub(super) async fn all(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_many_owned(self.count).await.ok()
    }

    /// Takes up to `count` hands.
    pub(super) fn take(&self, count: usize) -> Vec<OwnedSemaphorePermit> {
        std::iter::repeat_with(|| self.free.clone().try_acquire_owned().ok())
            .take(count)
            .flatten()
            .collect()
    }

    /// How many of `free` hands what is in the queue may have while single starts come in.
    pub(super) fn spare(&self, free: usize) -> usize {
        free.saturating_sub(self.kept)
    }

    /// Takes a hand for each of `orgs`, each of which has just started something: all of them, and only if nothing of theirs waits.
    pub(crate) fn take_new(
        &self,
        orgs: impl ExactSizeIterator<Item = OrganizationId>,
    ) -> Option<Vec<OwnedSemaphorePermit>> {
        let count = orgs.len();
        if !self.backlog.is_without(orgs) {
            return None;
        }
        Some(self.take(count)).filter(|it| it.len() == count)
    }
}
