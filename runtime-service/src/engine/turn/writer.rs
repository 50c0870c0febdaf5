//! Writes of a turn: each in a transaction of its own, tried again while the database is away and the lease may still hold.

use super::{
    super::{
        Core,
        rounds::Backoff,
        write::{Write, Written},
    },
    Stop, Turn,
};
use crate::store::{lease::WriteError, turns::Changed};
use shared_db::error::{Error, Result};
use std::{fmt::Write as _, future::Future, sync::atomic::Ordering};
use tokio::time::Instant;
use tonic::Code;

impl Turn {
    /// Writes once, however often it takes.
    pub(in super::super) async fn write(&self, write: &Write) -> Result<Written, Stop> {
        let mut backoff = Backoff::default();
        let until = Instant::now() + self.core.config.lease_ttl;
        let mut again = false;
        loop {
            let error = match self.attempt_write(write, again).await {
                Ok(Some(written)) => {
                    self.told.store(true, Ordering::Release);
                    self.core.wake.events_of(self.lease.execution);
                    return Ok(written);
                }
                Ok(None) => {
                    self.core.metrics.write_fenced();
                    tracing::info!("a write was fenced out: somebody else holds the execution");
                    return Err(Stop::Quiet);
                }
                Err(error) => error,
            };
            if !is_passing(&error) {
                return Err(Stop::Broken(described(&error)));
            }
            if until <= Instant::now() {
                return Err(Stop::Quiet);
            }
            tracing::warn!(error = described(&error), "a write failed and is tried again");
            // Whether it was committed is not known when the connection broke.
            again = true;
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// With others if it can be, and by itself where it must be. `None` when the lease is gone.
    async fn attempt_write(&self, write: &Write, again: bool) -> Result<Option<Written>> {
        let shared = if again { None } else { write.change(&self.lease, self.untold()) };
        if let Some(change) = shared {
            match self.core.commits.submit(change).await? {
                Changed::Done => return Ok(Some(Written::Done)),
                Changed::Fenced => return Ok(None),
                Changed::Yielded => {}
            }
        }
        self.core.bounded(self.transaction(write, again)).await
    }

    async fn transaction(&self, write: &Write, again: bool) -> Result<Option<Written>> {
        let mut tx = self.core.begin_by_key().await?;
        match write.apply(&mut tx, &self.lease, self.untold(), again).await {
            Ok(written) => {
                tx.commit().await?;
                if write.may_end() {
                    self.core.follow.tell((self.lease.org, self.lease.execution));
                }
                Ok(Some(written))
            }
            Err(WriteError::Fenced) => Ok(None),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Reads, as often as it takes.
    pub(crate) async fn read<T, R>(&self, read: impl Fn() -> R) -> Result<T, Stop>
    where
        R: Future<Output = Result<T>>,
    {
        self.core.insist(read).await
    }
}

impl Core {
    /// Reads, as often as it takes, for no longer than a lease may hold.
    pub(in super::super) async fn insist<T, R>(&self, read: impl Fn() -> R) -> Result<T, Stop>
    where
        R: Future<Output = Result<T>>,
    {
        let mut backoff = Backoff::default();
        let until = Instant::now() + self.config.lease_ttl;
        loop {
            match self.bounded(read()).await {
                Ok(value) => return Ok(value),
                Err(error) if !is_passing(&error) => return Err(Stop::Broken(described(&error))),
                Err(_) if until <= Instant::now() => return Err(Stop::Quiet),
                Err(error) => {
                    tracing::warn!(error = described(&error), "a read failed and is tried again");
                }
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }
}

/// Whether the database may accept the same thing later.
pub(super) fn is_passing(error: &Error) -> bool {
    matches!(error.kind().0, Code::Unavailable | Code::DeadlineExceeded)
}

/// With its causes: this goes to the log alone.
fn described(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
