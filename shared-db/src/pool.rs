//! The connections of a service, shared by its calls.
//!
//! Whoever is done with a connection costs the next one nothing: what is still open is rolled back, and the answer to that is read by
//! whoever uses the connection next, together with the answer of its BEGIN; if somebody waits already, both are one message. (sqlx's own
//! pool waits for a round trip whenever a connection comes back, in a task of its own, and for ever when the network is silent.)

mod connection;
mod connector;
mod upkeep;

pub use connection::Connection;

use connector::Connector;
use deadpool::managed::{self, PoolError, QueueMode};
use sqlx::postgres::PgConnectOptions;
use std::{sync::Arc, time::Duration};

/// How many connections, and how long is waited for one.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    pub connections_max: u32,
    /// Kept open when idle.
    pub connections_min: u32,
    /// From the wish for a connection until it is there, or an error.
    pub acquire_timeout: Duration,
    /// How long is waited for the answers that a caller did not wait for; then its connection is given up. The server ends statements by
    /// their own limits, so this is about a network that says nothing.
    pub settle_timeout: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            connections_max: 16,
            connections_min: 0,
            acquire_timeout: Duration::from_secs(5),
            settle_timeout: Duration::from_secs(30),
        }
    }
}

/// Connects when a connection is first needed. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Pool(managed::Pool<Connector>);

impl Pool {
    /// Within a runtime, where connections are looked after until the last clone is dropped.
    pub fn new(options: PgConnectOptions, limits: PoolLimits) -> Self {
        let max = usize::try_from(limits.connections_max).unwrap_or(usize::MAX);
        let pool = managed::Pool::builder(Connector { options, limits, left_open: Arc::default() })
            .max_size(max)
            // The one that was used last is warm; the others may be idle for so long that they are closed.
            .queue_mode(QueueMode::Lifo)
            .build()
            .expect("without timeouts of its own it needs no runtime");
        upkeep::spawn(&pool);
        Self(pool)
    }

    /// A connection that is this caller's alone until it is dropped, outside of any transaction. It may have died since it was last used.
    pub async fn acquire(&self) -> sqlx::Result<Connection> {
        let mut connection = self.acquire_to_begin().await?;
        connection.end_left_open();
        Ok(connection)
    }

    /// The same for whoever begins a transaction with it: that ends the one that was left open.
    pub(crate) async fn acquire_to_begin(&self) -> sqlx::Result<Connection> {
        let acquired = tokio::time::timeout(self.limits().acquire_timeout, self.0.get());
        match acquired.await {
            Ok(Ok(connection)) => Ok(Connection::new(connection)),
            Ok(Err(PoolError::Backend(error))) => Err(error),
            Ok(Err(PoolError::Closed)) => Err(sqlx::Error::PoolClosed),
            Err(_) | Ok(Err(_)) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// What its connections are made with.
    pub fn connect_options(&self) -> &PgConnectOptions {
        &self.0.manager().options
    }

    pub fn limits(&self) -> PoolLimits {
        self.0.manager().limits
    }

    /// Connections that are open.
    pub fn size(&self) -> usize {
        self.0.status().size
    }

    /// Those of them that nobody uses.
    pub fn idle(&self) -> usize {
        self.0.status().available
    }

    /// Refuses whoever comes, and returns when every connection has come back and is closed.
    pub async fn close(&self) {
        upkeep::close(&self.0).await;
    }
}
