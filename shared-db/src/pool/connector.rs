//! Makes connections, with patience for a server that is about to be there.

use super::{PoolLimits, openings::Openings};
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::{io::ErrorKind, sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Older connections are replaced, so that what a server has gathered for one is let go, and a new replica is found.
const AGE_MAX: Duration = Duration::from_mins(30);
/// Between two attempts to connect: from, to.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];

#[derive(Debug)]
pub(super) struct Connector {
    pub(super) options: PgConnectOptions,
    pub(super) limits: PoolLimits,
    /// A connection went back with a transaction that its next user ends.
    pub(super) left_open: Arc<Notify>,
    pub(super) openings: Openings,
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = sqlx::Error;

    /// Whoever waits has the limit: this goes on until the server is there, or has said no.
    async fn create(&self) -> sqlx::Result<PgConnection> {
        let [mut again_after, most] = AGAIN_AFTER;
        loop {
            // On the heap: whoever acquires a connection would carry the room for this about, and seldom needs it.
            match Box::pin(PgConnection::connect_with(&self.options)).await {
                Err(error) if is_away(&error) => tokio::time::sleep(again_after).await,
                done => return done,
            }
            again_after = most.min(again_after * 2);
        }
    }

    /// Asks the server nothing: one that has died shows itself at BEGIN.
    async fn recycle(&self, _: &mut PgConnection, of: &Metrics) -> RecycleResult<sqlx::Error> {
        if of.age() < AGE_MAX { Ok(()) } else { Err(RecycleError::message("it is old")) }
    }
}

/// Nobody listens there yet, or whoever does has no room or is still starting.
fn is_away(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Io(error) = error {
        return error.kind() == ErrorKind::ConnectionRefused;
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("53300" | "57P03"))
}
