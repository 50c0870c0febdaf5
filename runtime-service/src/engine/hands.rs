//! The hands of a worker: how many executions it does at a time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Clone, Debug)]
pub(crate) struct Hands {
    free: Arc<Semaphore>,
    /// Work waits in the queue that this process knows of: what is new has to stand behind it.
    backlog: Arc<AtomicBool>,
}

impl Hands {
    pub(super) fn new(count: u32) -> Self {
        // Until a first look has said that there is none.
        Self {
            free: Arc::new(Semaphore::new(count as usize)),
            backlog: Arc::new(AtomicBool::new(true)),
        }
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

    /// Takes up to `count` hands.
    pub(super) fn take(&self, count: usize) -> Vec<OwnedSemaphorePermit> {
        std::iter::repeat_with(|| self.free.clone().try_acquire_owned().ok())
            .take(count)
            .flatten()
            .collect()
    }

    pub(super) fn set_backlog(&self, there: bool) {
        self.backlog.store(there, Ordering::Release);
    }

    /// Takes `count` hands for what was just accepted: all of them, and only while nothing else waits.
    pub(crate) fn take_new(&self, count: usize) -> Option<Vec<OwnedSemaphorePermit>> {
        if self.backlog.load(Ordering::Acquire) {
            return None;
        }
        Some(self.take(count)).filter(|it| it.len() == count)
    }
}
