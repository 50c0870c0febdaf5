//! Writes of a turn: each in a transaction of its own, tried again while the database is away and the lease may still hold.

use super::{
    super::{
        Core,
        rounds::Backoff,
        write::{Write, Written},
    },
    Stop, Turn,
};
use crate::store::lease::WriteError;
use shared_db::{
    error::{Error, Result},
    scope::Scope,
};
use std::{fmt::Write as _, future::Future};
use tokio::time::Instant;
use tonic::Code;

impl Turn {
    /// Writes once, however often it takes.
    pub(in super::super) async fn write(&self, write: &Write) -> Result<Written, Stop> {
        let mut backoff = Backoff::default();
        let until = Instant::now() + self.core.config.lease_ttl;
        let mut again = false;
        loop {
            let error = match self.core.bounded(self.transaction(write, again)).await {
                Ok(Some(written)) => return Ok(written),
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

    /// `None` when the lease is gone.
    async fn transaction(&self, write: &Write, again: bool) -> Result<Option<Written>> {
        let mut tx = self.core.db.begin(Scope::Tenant(self.lease.org, None)).await?;
        match write.apply(&mut tx, &self.lease, again).await {
            Ok(written) => {
                tx.commit().await?;
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
fn is_passing(error: &Error) -> bool {
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
