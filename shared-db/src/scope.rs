//! The only way to the database: a transaction that says for whom it acts.
//!
//! `Scope::Tenant` sets the organization (and the user, if one acts) for that transaction alone, in the same round trip as BEGIN;
//! row-level security reads it. `Scope::Platform` steps into the service's platform role, for the few statements that must cross
//! organizations. No session state is left behind, so it works behind a transaction pooler.

use crate::{
    error::Result,
    ids::{OrganizationId, UserId},
    pool::{Acquired, Connection, Pool},
    service::deadline,
};
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr};
use std::{
    fmt::Write,
    ops::{Deref, DerefMut},
};

/// One of the two services, as the database knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Web,
    Runtime,
}

impl Service {
    /// Its name, as binaries, logs and telemetry say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Web => "web-service",
            Self::Runtime => "runtime-service",
        }
    }

    /// The schema of the tables that it writes.
    pub fn schema(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Runtime => "runtime",
        }
    }

    /// The role that it logs in as.
    pub fn role(self) -> &'static str {
        match self {
            Self::Web => "web_app",
            Self::Runtime => "agent_runtime",
        }
    }

    /// The role that it steps into to cross organizations.
    pub fn platform_role(self) -> &'static str {
        match self {
            Self::Web => "web_app_platform",
            Self::Runtime => "agent_runtime_platform",
        }
    }
}

/// For whom a transaction acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One organization, on behalf of one of its users if a user acts.
    Tenant(OrganizationId, Option<UserId>),
    /// All organizations: claiming work, authenticating keys, operators.
    Platform,
}

/// The pool of one service.
#[derive(Clone, Debug)]
pub struct Db {
    pool: Pool,
    service: Service,
}

/// Planned once for whatever it is given, and no table is read as a whole.
const LOOKED_UP: &str = "; set local plan_cache_mode = force_generic_plan; set local jit = off; set local enable_memoize = off; \
     set local enable_seqscan = off; set local enable_indexonlyscan = off";

impl Db {
    pub fn new(pool: Pool, service: Service) -> Self {
        Self { pool, service }
    }

    pub fn service(&self) -> Service {
        self.service
    }

    /// The pool itself, for what is not about rows: health, the probe, closing.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Begins a transaction for `scope`, in one round trip. Its statements may take as long as the caller's deadline allows.
    /// Dropped without [`Tx::commit`] it is rolled back, which costs a read no round trip of its own.
    pub async fn begin(&self, scope: Scope) -> Result<Tx> {
        self.begin_as(self.opening(scope)).await
    }

    /// The same for statements that look for rows in more than one way: each is planned for the values that it is given, and for the
    /// tables as they are. A plan that was made once, on an empty table or for other values, would stay with its connection. They go by
    /// an index also where one organization has so much of a table that reading all of it looks cheaper: the rest is others'.
    pub async fn begin_search(&self, scope: Scope) -> Result<Tx> {
        let search =
            "; set local plan_cache_mode = force_custom_plan; set local enable_seqscan = off";
        self.begin_as(self.opening(scope) + search).await
    }

    /// The same for a page of all that there is, in an order that an index has. The plan is made once, and must not be to read and sort
    /// everything, as it would be while that is little: it would stay with its connection until somebody analyzes.
    pub async fn begin_ordered(&self, scope: Scope) -> Result<Tx> {
        self.begin_as(self.opening(scope) + "; set local enable_sort = off").await
    }

    /// The same for statements that are sent often and read in an order that an index has: they are planned once for whatever they are
    /// given, and by that index. A plan that was made while a table was empty would read the whole of it ever after, or sort what
    /// another index finds.
    pub async fn begin_planned(&self, scope: Scope) -> Result<Tx> {
        let planned = "; set local plan_cache_mode = force_generic_plan; set local jit = off; set local enable_seqscan = off; \
             set local enable_sort = off; set local enable_incremental_sort = off";
        self.begin_as(self.opening(scope) + planned).await
    }

    /// The same for statements that look up each of their rows by its key and do nothing else, of which only one index has all. Of the ways to read a table only bitmap
    /// scans are left, which need a condition: while a table is known to be empty, as a queue often is, reading all of an index looks as
    /// cheap as looking something up, and the plan would stay when the queue is long.
    pub async fn begin_by_key(&self, scope: Scope) -> Result<Tx> {
        let bitmaps = "; set local enable_indexscan = off";
        self.begin_as(self.opening(scope) + LOOKED_UP + bitmaps).await
    }

    /// The same where each table is joined by its whole primary key, whose first column is compared by `= any(array[…])`: then there is no
    /// order of an index that a join could use, so none is read without a condition, and need not be kept from it. A look by the index
    /// itself costs less than a bitmap of one row, for which the kernel is asked each time how long the table is.
    pub async fn begin_by_primary_key(&self, scope: Scope) -> Result<Tx> {
        let indexes = "; set local enable_bitmapscan = off";
        self.begin_as(self.opening(scope) + LOOKED_UP + indexes).await
    }

    fn opening(&self, scope: Scope) -> String {
        let mut sql = String::with_capacity(200);
        // Typed ids are formatted, not bound: SET takes no parameters, and set_config() would not reach the workers of a
        // distributed PostgreSQL.
        match scope {
            Scope::Tenant(org, user) => {
                write!(sql, "begin; set local app.current_org_id = '{}'", org.0)
                    .expect("a String takes it");
                if let Some(user) = user {
                    write!(sql, "; set local app.current_user_id = '{}'", user.0)
                        .expect("a String takes it");
                }
            }
            Scope::Platform => {
                // Before BEGIN, which takes it into the transaction: if it is refused, no transaction is left behind.
                write!(sql, "set local role {}; begin", self.service.platform_role())
                    .expect("a String takes it");
            }
        }
        if let Some(left) = deadline::remaining() {
            // The setting is an int4; a caller of a stream may have more patience than that.
            let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX).max(1);
            write!(sql, "; set local statement_timeout = {millis}").expect("a String takes it");
        }
        sql
    }

    /// Begins with `sql`, which has to leave a transaction open, or none if it fails.
    ///
    /// The pool does not test idle connections. One that has died shows itself here, before anything was done, and another is
    /// taken; there may be as many of them as there are connections.
    pub(crate) async fn begin_as(&self, sql: String) -> Result<Tx> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        let mut dead = 0;
        loop {
            let mut connection = match self.pool.acquire_to_begin(&sql).await? {
                Acquired::Begun(connection) => return Ok(Tx(connection)),
                Acquired::Idle(connection) => connection,
            };
            match connection.begin(sql.clone()).await {
                Ok(()) => return Ok(Tx(connection)),
                Err(error) if dead < self.pool.limits().connections_max && has_died(&error) => {
                    connection.discard();
                    dead += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether the connection is gone: closed by the network, or by the server's administrator.
fn has_died(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_))
        || matches!(code.as_deref(), Some("57P01" | "57P02" | "57P05"))
}

/// A transaction in its scope. Stores take `&mut tx`.
#[derive(Debug)]
pub struct Tx(Connection);

impl Tx {
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }

    /// Rolls back now rather than when the connection is next used.
    pub async fn rollback(mut self) -> Result<()> {
        Ok(self.0.rollback().await?)
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
