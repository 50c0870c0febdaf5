//! Retention, as the command does it: partitions made ahead, old ones dropped, and what is past its retention elsewhere removed.
//!
//! The work is that of functions in the database (migrations 0010 and 0029), which `freehold_maintenance` may execute and which never wait long
//! for a lock. Each call here is one short transaction: one partition, or one batch of rows. Whatever is interrupted is
//! finished by the next run.

mod again;

pub use again::again_and_again;

use crate::contract::{Contract, Table};
use anyhow::{Context, Error, Result};
use sqlx::{Executor, PgConnection, error::DatabaseError, postgres::types::PgInterval};
use std::{fmt, time::Duration};
use uuid::Uuid;

/// Rows that one transaction removes.
const BATCH_ROWS: i32 = 5000;
/// How often a partition is tried whose table is busy, and the pause before the second try; each pause is longer than the last by as
/// much.
const ATTEMPTS_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// A lock was not had in time; a deadlock; a row came into a range while its partition was made; SQLSTATEs.
const BUSY: [&str; 3] = ["55P03", "40P01", "23514"];
const DENIED: &str = "42501";
/// No such function; no such schema.
const NOT_MIGRATED: [&str; 2] = ["42883", "3F000"];

/// Awaits a statement, and does so again after a pause while the table is busy.
macro_rules! patiently {
    ($attempts_max:expr, $statement:expr, $what:expr) => {{
        let mut attempt = 1;
        loop {
            match $statement.await {
                Ok(done) => break done,
                Err(error) if attempt < $attempts_max && is_busy(&error) => {}
                Err(error) => return Err(explained(error, &$what)),
            }
            tokio::time::sleep(PAUSE * attempt).await;
            attempt += 1;
        }
    }};
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Partitions are there for so many days to come.
    pub ahead_days: u16,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { ahead_days: 7, dry_run: false }
    }
}

/// One thing that was done, or that would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Made {
        partition: String,
        /// Rows that the default partition had of its week.
        moved: i64,
    },
    Dropped {
        partition: String,
    },
    /// Past its retention, and kept.
    Kept {
        partition: String,
        /// Executions born in its week that have not ended, and one of them.
        live: i64,
        example: Option<Uuid>,
    },
    Removed {
        table: String,
        rows: i64,
    },
}

/// Makes what has to be there, then removes what is past the retention of the contract. `report` is told of each thing as it is done.
pub async fn run(
    conn: &mut PgConnection,
    options: Options,
    report: &mut impl FnMut(Step),
) -> Result<()> {
    conn.execute("set lock_timeout = '2s'").await?;
    make(conn, options, ATTEMPTS_MAX, report).await?;
    for table in Contract::embedded().tables.iter().filter(|it| it.maintained) {
        if is_partitioned(conn, table).await? {
            drop_partitions(conn, table, options, report).await?;
        }
        drop_rows(conn, table, options, report).await?;
    }
    Ok(())
}

/// Makes partitions for the days ahead; also a part of migrating, in whose transaction nothing can be tried again.
pub(crate) async fn make(
    conn: &mut PgConnection,
    options: Options,
    attempts_max: u32,
    report: &mut impl FnMut(Step),
) -> Result<()> {
    let sql = "select part, moved from freehold.make_partitions($1, $2, $3)";
    let ahead = days(options.ahead_days);
    // What is not done is said all at once; what is done keeps its locks until the transaction ends.
    let at_most = if options.dry_run { 1000 } else { 1 };
    loop {
        let made: Vec<(String, i64)> = patiently!(
            attempts_max,
            sqlx::query_as(sql)
                .bind(ahead)
                .bind(at_most)
                .bind(options.dry_run)
                .fetch_all(&mut *conn),
            "partitions of the days ahead"
        );
        let none = made.is_empty();
        for (partition, moved) in made {
            report(Step::Made { partition, moved });
        }
        if none || options.dry_run {
            return Ok(());
        }
    }
}

async fn is_partitioned(conn: &mut PgConnection, table: &Table) -> Result<bool> {
    // The catalog is readable by everybody; the table is not.
    let sql = "
        select c.relkind = 'p'
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relname = $2";
    let kind = sqlx::query_scalar(sql).bind(table.schema).bind(&table.name);
    let kind: Option<bool> = kind.fetch_optional(conn).await?;
    kind.with_context(|| format!("{} does not exist; run: shared-db migrate", table.path()))
}

async fn drop_partitions(
    conn: &mut PgConnection,
    table: &Table,
    options: Options,
    report: &mut impl FnMut(Step),
) -> Result<()> {
    let sql = "select part, dropped, live, example from freehold.drop_partitions($1, $2, $3, $4)";
    let at_most = if options.dry_run { 1000 } else { 1 };
    loop {
        let old: Vec<(String, bool, i64, Option<Uuid>)> = patiently!(
            ATTEMPTS_MAX,
            sqlx::query_as(sql)
                .bind(table.path())
                .bind(keep(table)?)
                .bind(at_most)
                .bind(options.dry_run)
                .fetch_all(&mut *conn),
            table.path()
        );
        // What is kept is met again by each call, and told by the last.
        let last = options.dry_run || !old.iter().any(|(_, dropped, ..)| *dropped);
        for (partition, dropped, live, example) in old {
            if dropped {
                report(Step::Dropped { partition });
            } else if last {
                report(Step::Kept { partition, live, example });
            }
        }
        if last {
            return Ok(());
        }
    }
}

async fn drop_rows(
    conn: &mut PgConnection,
    table: &Table,
    options: Options,
    report: &mut impl FnMut(Step),
) -> Result<()> {
    let sql = "select freehold.drop_rows($1, $2, $3, $4)";
    let at_most = if options.dry_run { i32::MAX } else { BATCH_ROWS };
    loop {
        let rows: i64 = patiently!(
            ATTEMPTS_MAX,
            sqlx::query_scalar(sql)
                .bind(table.path())
                .bind(keep(table)?)
                .bind(at_most)
                .bind(options.dry_run)
                .fetch_one(&mut *conn),
            table.path()
        );
        if 0 < rows {
            report(Step::Removed { table: table.path(), rows });
        }
        if rows < i64::from(at_most) {
            return Ok(());
        }
    }
}

fn keep(table: &Table) -> Result<PgInterval> {
    let retention =
        table.retention.with_context(|| format!("{} has no retention", table.path()))?;
    Ok(days(retention.days))
}

fn days(days: u16) -> PgInterval {
    PgInterval { months: 0, days: days.into(), microseconds: 0 }
}

fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.unwrap_or_default().into_owned()
}

fn is_busy(error: &sqlx::Error) -> bool {
    BUSY.contains(&code(error).as_str())
}

/// The error, with what to do about it.
fn explained(error: sqlx::Error, what: &str) -> Error {
    let code = code(&error);
    let says = if is_busy(&error) {
        format!(
            "{what} could not be had: somebody's transaction holds it. Who that is: \
             select pid, state, xact_start, query from pg_stat_activity where xact_start < now() - interval '2 s'. \
             Then run again: shared-db maintain"
        )
    } else if NOT_MIGRATED.contains(&code.as_str()) {
        "the functions of retention are not there; run: shared-db migrate".to_owned()
    } else if code == DENIED {
        "this login may not maintain; let DATABASE_URL name freehold_maintenance or freehold_owner"
            .to_owned()
    } else {
        what.to_owned()
    };
    Error::new(error).context(says)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made { partition, moved: 0 } => write!(f, "make {partition}"),
            Self::Made { partition, moved } => {
                write!(f, "make {partition} and move {moved} rows into it")
            }
            Self::Dropped { partition } => write!(f, "drop {partition}"),
            Self::Kept { partition, live, example } => {
                let such = example.map_or(String::new(), |it| format!(", such as {it}"));
                write!(f, "keep {partition}: {live} executions of its week have not ended{such}")
            }
            Self::Removed { table, rows } => write!(f, "remove {rows} rows of {table}"),
        }
    }
}
