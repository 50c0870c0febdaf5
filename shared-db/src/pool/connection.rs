//! A connection in use, and how it goes back.

use super::connector::Connector;
use deadpool::managed::Object;
use futures_util::{FutureExt, StreamExt, TryStreamExt, future};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqlStr, postgres::PgTransactionManager, raw_sql,
};
use sqlx_core::transaction::TransactionManager;
use std::ops::{Deref, DerefMut};
use tokio::{runtime::Handle, time::timeout};

/// A connection in use. Dropped, it goes back without a word for which somebody would have to wait: its transaction is rolled back at once, or
/// by whoever waits for the connection, together with their BEGIN.
#[derive(Debug)]
pub struct Connection {
    /// There until it is dropped.
    object: Option<Object<Connector>>,
    /// BEGIN was sent, and it is not known that a transaction is open: there may be one that sqlx does not know of.
    begins: bool,
}

impl Connection {
    pub(super) fn new(object: Object<Connector>) -> Self {
        Self { object: Some(object), begins: false }
    }

    /// Sends `sql`, which has to leave a transaction open, or none if it fails.
    pub(crate) async fn begin(&mut self, sql: SqlStr) -> sqlx::Result<()> {
        // Whoever waits may go away at any moment, and what stands behind BEGIN may fail.
        self.begins = true;
        if 0 < PgTransactionManager::get_transaction_depth(self) {
            // One message for both: a message of its own costs the server half as much as a read by key.
            let sql = AssertSqlSafe(format!("rollback; {}", sql.as_str()));
            raw_sql(sql).execute(&mut **self).await?;
        } else {
            PgTransactionManager::begin(self, Some(sql)).await?;
        }
        self.begins = false;
        Ok(())
    }

    /// Whatever is sent next goes behind a ROLLBACK, if a transaction was left open.
    pub(super) fn end_left_open(&mut self) {
        PgTransactionManager::start_rollback(self);
    }

    /// Commits. If somebody waits for a connection, theirs begins with the same message, and they get this one.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        let pool = self.object.as_ref().and_then(Object::pool);
        let Some(next) = pool.and_then(|it| it.manager().openings.take()) else {
            return PgTransactionManager::commit(&mut self).await;
        };
        // Whoever waits for this may go away at any moment, and what stands behind COMMIT may fail.
        self.begins = true;
        let sql = AssertSqlSafe(format!("commit; {}", next.sql.as_str()));
        let mut answers = raw_sql(sql).execute_many(&mut *self);
        let committed = answers.next().await;
        let begun = answers.try_for_each(|_| future::ok(())).await;
        // The rest is not tried when that failed.
        committed.unwrap_or(Err(sqlx::Error::Protocol("COMMIT has no answer".into())))?;
        if begun.is_ok() {
            self.begins = false;
            next.give(self);
        }
        Ok(())
    }

    pub(crate) async fn rollback(&mut self) -> sqlx::Result<()> {
        PgTransactionManager::rollback(self).await
    }

    /// Closes it, as it is of no more use.
    pub(crate) fn discard(mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.object.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.object.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(mut object) = self.object.take() else { return };
        let Some(pool) = Object::pool(&object) else { return };
        let awaited = 0 < pool.status().waiting;
        match roll_back(&mut object, self.begins, awaited).now_or_never() {
            Some(Ok(())) if awaited => pool.manager().left_open.notify_one(),
            Some(Ok(())) => {}
            Some(Err(_)) => drop(Object::take(object)),
            // Its caller went away in the middle of something. Nobody else is to wait for that.
            None => match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(settle(object, self.begins))),
                Err(_) => drop(Object::take(object)),
            },
        }
    }
}

/// Reads what is still to come, and sees to it that a transaction which is open is rolled back: now, or by whoever waits for the connection.
async fn roll_back(conn: &mut PgConnection, begins: bool, awaited: bool) -> sqlx::Result<()> {
    conn.flush().await?;
    if begins {
        raw_sql("rollback").execute(&mut *conn).await?;
    }
    if awaited { Ok(()) } else { send_rollback(conn) }
}

/// Sends ROLLBACK if a transaction is open, and leaves the answer to whoever comes next.
pub(super) fn send_rollback(conn: &mut PgConnection) -> sqlx::Result<()> {
    PgTransactionManager::start_rollback(conn);
    // Polled once it has written, and would read next.
    conn.flush().now_or_never().unwrap_or(Ok(()))
}

async fn settle(mut object: Object<Connector>, begins: bool) {
    let Some(pool) = Object::pool(&object) else { return };
    let patience = pool.manager().limits.settle_timeout;
    let settled = timeout(patience, roll_back(&mut object, begins, false)).await;
    if !matches!(settled, Ok(Ok(()))) {
        drop(Object::take(object));
    }
}
