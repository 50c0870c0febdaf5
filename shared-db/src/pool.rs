//! The connections of a service, shared by its calls.
//!
//! Whoever is done with a connection costs the next one nothing: what is still open is rolled back, and the answer to that is read by
//! whoever uses the connection next, together with the answer of its BEGIN; if somebody waits already, both are one message, and so are a
//! COMMIT and the BEGIN of somebody who waits. (sqlx's own
//! pool waits for a round trip whenever a connection comes back, in a task of its own, and for ever when the network is silent.)

mod connection;
mod connector;
mod openings;
mod upkeep;

pub use connection::Connection;

use connector::Connector;
use deadpool::managed::{self, Object, PoolError, QueueMode, TimeoutType, Timeouts};
use openings::Openings;
use sqlx::{SqlStr, postgres::PgConnectOptions};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

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

/// A connection for a transaction.
#[derive(Debug)]
pub(crate) enum Acquired {
    /// It may have died since it was last used.
    Idle(Connection),
    /// Whoever committed on it before has begun it as well.
    Begun(Connection),
}

fn acquired(got: Result<Object<Connector>, PoolError<sqlx::Error>>) -> sqlx::Result<Connection> {
    match got {
        Ok(object) => Ok(Connection::new(object)),
        Err(PoolError::Backend(error)) => Err(error),
        Err(PoolError::Closed) => Err(sqlx::Error::PoolClosed),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Connects when a connection is first needed. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Pool(managed::Pool<Connector>);

impl Pool {
    /// Within a runtime, where connections are looked after until the last clone is dropped.
    pub fn new(options: PgConnectOptions, limits: PoolLimits) -> Self {
        let max = usize::try_from(limits.connections_max).unwrap_or(usize::MAX);
        let connector =
            Connector { options, limits, left_open: Arc::default(), openings: Openings::default() };
        let pool = managed::Pool::builder(connector)
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
        let _waits = self.0.manager().openings.wait_for_none();
        let got = timeout(self.limits().acquire_timeout, self.0.get()).await;
        let mut connection = got.map_err(|_| sqlx::Error::PoolTimedOut).and_then(acquired)?;
        connection.end_left_open();
        Ok(connection)
    }

    /// The same for whoever begins a transaction with it by `sql`: that ends the one that was left open.
    pub(crate) async fn acquire_to_begin(&self, sql: &SqlStr) -> sqlx::Result<Acquired> {
        let at_once = Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };
        let limit = self.limits().acquire_timeout;
        let got = async {
            match self.0.timeout_get(&at_once).await {
                Err(PoolError::Timeout(TimeoutType::Wait)) => {}
                got => return acquired(got).map(Acquired::Idle),
            }
            let mut place = self.0.manager().openings.wait(sql.clone());
            tokio::select! {
                biased;
                Ok(connection) = &mut place.begun => Ok(Acquired::Begun(connection)),
                got = self.0.get() => acquired(got).map(Acquired::Idle),
            }
        };
        timeout(limit, got).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
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
