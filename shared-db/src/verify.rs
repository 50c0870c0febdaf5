//! The proof from outside: whether what each role can effectively do in this database is what the contract says.
//!
//! A list of grants proves little: a cascading foreign key, a view, a SECURITY DEFINER function or a membership writes a table
//! without one. Each group of checks has a file of its own; each finding says why it matters and carries the statement that mends
//! it. Statements here are questions to the catalog with bound names, or generated SQL whose names went through [`quote`].
//!
//! [`quote`]: crate::quote

pub mod drift;
mod finding;
mod foreign_keys;
mod functions;
mod ids;
mod maintenance;
mod owners;
mod privileges;
mod roles;
mod row_security;
mod tables;
mod views;

pub use finding::{Finding, Kind};

use crate::{contract::Contract, migrate};
use anyhow::{Context, Result, ensure};
use sqlx::{Connection, PgConnection};

/// What every check needs.
struct Look<'a> {
    conn: &'a mut PgConnection,
    contract: &'a Contract,
    /// `server_version_num`, such as 150018.
    server: i32,
}

/// All findings, in the order of the checks. Connect as a superuser or as `freehold_owner`; nothing is changed.
pub async fn run(conn: &mut PgConnection) -> Result<Vec<Finding>> {
    run_with(conn, Contract::embedded()).await
}

/// [`run`] under another contract than the embedded one; for tests.
pub async fn run_with(conn: &mut PgConnection, contract: &Contract) -> Result<Vec<Finding>> {
    let pending = migrate::pending(conn).await?;
    ensure!(pending.is_empty(), "not migrated yet: {} pending", pending.join(", "));
    // Inside a transaction of the caller this is a savepoint.
    let mut tx = conn.begin().await?;
    // Names in what the catalog prints are then qualified, whoever asks.
    sqlx::query("set local search_path = pg_catalog").execute(&mut *tx).await?;
    let server: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int4")
        .fetch_one(&mut *tx)
        .await?;
    let mut look = Look { conn: &mut tx, contract, server };
    let mut all = roles::check(&mut look).await.context("roles")?;
    all.extend(owners::check(&mut look).await.context("owners")?);
    all.extend(tables::check(&mut look).await.context("tables")?);
    all.extend(ids::check(&mut look).await.context("ids")?);
    all.extend(privileges::check(&mut look, &all).await.context("privileges")?);
    all.extend(foreign_keys::check(&mut look).await.context("foreign keys")?);
    all.extend(views::check(&mut look).await.context("views")?);
    all.extend(functions::check(&mut look).await.context("functions")?);
    all.extend(maintenance::check(&mut look).await.context("maintenance")?);
    all.extend(row_security::check(&mut look).await.context("row-level security")?);
    all.extend(drift::check(look.conn).await.context("drift")?);
    tx.rollback().await?;
    Ok(all)
}

impl<'a> Look<'a> {
    /// The four roles of the services, as a parameter.
    fn roles() -> Vec<&'static str> {
        crate::contract::Principal::ALL.iter().map(|it| it.role()).collect()
    }

    /// Those and the maintenance login: whoever owns nothing, is a member of nothing else, and has nothing set for it.
    fn restricted(&self) -> Vec<&'a str> {
        Self::roles().into_iter().chain([self.contract.maintenance.as_str()]).collect()
    }

    /// The tables of the contract, as a parameter.
    fn paths(&self) -> Vec<String> {
        self.contract.tables.iter().map(crate::contract::Table::path).collect()
    }

    fn table(&self, path: &str) -> Option<&crate::contract::Table> {
        self.contract.tables.iter().find(|it| it.path() == path)
    }
}
