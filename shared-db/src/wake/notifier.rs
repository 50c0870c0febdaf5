//! Sends hints, gathered: however many there are, a few statements a second.

use super::{Gathered, Hint, Wake, send};
use crate::scope::Db;
use anyhow::Result;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// After a hint that could not be sent.
const FAILURE_DELAY: Duration = Duration::from_secs(1);

/// Takes hints at once, from anywhere, and sends them from [`Notifier::run`]. Clones are one.
///
/// Call it after the commit of what it is about: whoever hears of it earlier finds nothing.
#[derive(Clone, Debug)]
pub struct Notifier<T: Hint> {
    db: Db,
    gathered: Arc<Gathered<T>>,
}

impl<T: Hint> Notifier<T> {
    pub fn new(db: Db) -> Self {
        Self { db, gathered: Arc::new(Gathered::new()) }
    }

    /// There is something new for `id`.
    pub fn notify(&self, id: T) {
        self.notify_all([id]);
    }

    /// There is something new for each of `ids`.
    pub fn notify_all(&self, ids: impl IntoIterator<Item = T>) {
        let ids: HashSet<T> = ids.into_iter().collect();
        if !ids.is_empty() {
            self.gathered.add(Wake::These(ids));
        }
    }

    /// There may be something new for anybody.
    pub fn notify_everything(&self) {
        self.gathered.add(Wake::Everything);
    }

    /// Sends until `stop`: the first hint at once, those that come within [`Hint::INTERVAL`] of it together. A hint that can not be
    /// sent is lost, as any may be.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        loop {
            let wake = tokio::select! {
                wake = self.gathered.next() => wake,
                () = stop.cancelled() => break,
            };
            let pause = match send(&self.db, T::CHANNEL, &wake.payload()).await {
                Ok(()) => T::INTERVAL,
                Err(error) => {
                    tracing::debug!(%error, channel = T::CHANNEL, "a hint was not sent");
                    FAILURE_DELAY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => break,
            }
        }
        self.flush().await;
        Ok(())
    }

    /// Sends now what has been gathered, for whoever ends and has something to hand over.
    pub async fn flush(&self) {
        if let Some(wake) = self.gathered.take()
            && let Err(error) = send(&self.db, T::CHANNEL, &wake.payload()).await
        {
            tracing::debug!(%error, channel = T::CHANNEL, "the last hint was not sent");
        }
    }
}
