//! Migrations, and the boundary that is generated after them, in one transaction: all of it or nothing.
//!
//! Everything is made by `freehold_owner`. What was applied is kept in `freehold.schema_migrations` with its checksum, and the
//! generated part in `freehold.generated`; when both are as this build has them, nothing is touched and nothing is locked.

mod boundary;
mod ledger;

pub(crate) use boundary::{columns, tables};

use crate::{
    contract::Contract,
    maintain::{self, Step},
    quote, roles,
};
use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Two migrators of one database go one after the other. The number is arbitrary and fixed.
const MIGRATION_LOCK: i64 = 0x6672_6565_686f_6c64;
/// How long a statement waits for a table that somebody uses, before the migration gives up and changes nothing.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);

/// How to migrate.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub passwords: roles::Passwords,
    /// Generate grants and policies again even if they were not changed here: mends what somebody did by hand.
    pub repair: bool,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Migrations that were applied, such as `0003_web_actions`.
    pub applied: Vec<String>,
    /// Whether grants and policies were generated again.
    pub boundary: bool,
    /// Whether roles were made or changed.
    pub roles: bool,
    /// Partitions that were made, for the days to come or because there were rows for them.
    pub partitions: Vec<String>,
    /// The version that the schema has now.
    pub version: i64,
}

/// The schema version that this build is for.
pub fn version() -> i64 {
    MIGRATIONS.iter().map(|it| it.version).max().unwrap_or_default()
}

/// Brings the roles, the schema and the boundary to where this build has them. Connect as a superuser or as `freehold_owner`.
pub async fn run(conn: &mut PgConnection, options: &Options) -> Result<Report> {
    run_with(conn, options, Contract::embedded()).await
}

/// [`run`] under another contract than the embedded one; for tests.
pub async fn run_with(
    conn: &mut PgConnection,
    options: &Options,
    contract: &Contract,
) -> Result<Report> {
    let roles = roles::converge(conn, contract, &options.passwords).await?;
    let mut tx = conn.begin().await?;
    sqlx::query("select pg_catalog.pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *tx)
        .await?;
    become_owner(&mut tx, contract).await?;
    ledger::create(&mut tx).await?;
    if !ledger::pending(&mut tx, &MIGRATIONS).await?.is_empty() {
        boundary::lift(&mut tx).await?;
    }
    let applied = ledger::apply_pending(&mut tx, &MIGRATIONS).await?;
    boundary::agrees(&mut tx, contract).await?;
    let force = options.repair || !applied.is_empty();
    let boundary = boundary::apply(&mut tx, contract, force).await?;
    let partitions = partitions(&mut tx).await?;
    tx.commit().await?;
    Ok(Report { applied, boundary, roles, partitions, version: version() })
}

/// A database has the partitions of its next days from the beginning.
async fn partitions(tx: &mut PgConnection) -> Result<Vec<String>> {
    let mut made = Vec::new();
    maintain::make(tx, maintain::Options::default(), 1, &mut |it| {
        if let Step::Made { partition, .. } = it {
            made.push(partition);
        }
    })
    .await?;
    Ok(made)
}

/// Migrations that are still to be applied.
pub async fn pending(conn: &mut PgConnection) -> Result<Vec<String>> {
    ledger::pending(conn, &MIGRATIONS).await
}

/// Migrations that are applied, oldest first.
pub async fn applied(conn: &mut PgConnection) -> Result<Vec<String>> {
    ledger::applied_names(conn).await
}

/// From here on everything is made by, and belongs to, the owner.
async fn become_owner(tx: &mut PgConnection, contract: &Contract) -> Result<()> {
    let owner = quote::ident(&contract.owner);
    if roles::is_superuser(tx).await? {
        let database: String =
            sqlx::query_scalar("select current_database()").fetch_one(&mut *tx).await?;
        let database = quote::ident(&database);
        run_sql(tx, format!("grant connect, create, temporary on database {database} to {owner}"))
            .await?;
    } else {
        let user: String = sqlx::query_scalar("select current_user").fetch_one(&mut *tx).await?;
        ensure!(
            user == contract.owner,
            "connect as {} or as a superuser, not as {user}",
            contract.owner
        );
    }
    run_sql(tx, format!("set local role {owner}")).await?;
    run_sql(tx, "set local search_path = pg_catalog".to_owned()).await?;
    run_sql(tx, format!("set local lock_timeout = {}", LOCK_WAIT_MAX.as_millis())).await
}

/// Runs generated SQL; every name in it went through [`quote`].
async fn run_sql(conn: &mut PgConnection, sql: String) -> Result<()> {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.as_str())).execute(conn).await;
    result.with_context(|| format!("while running: {sql}"))?;
    Ok(())
}
