//! What was applied to a database, and whether it is still what this build calls by that name.

use anyhow::{Context, Result, ensure};
use sqlx::{PgConnection, migrate::Migrator};
use std::collections::BTreeMap;

/// The bookkeeping, before the first migration runs.
pub(super) async fn create(conn: &mut PgConnection) -> Result<()> {
    if exists(conn).await? {
        return Ok(());
    }
    let sql = "
        create schema freehold;
        create table freehold.schema_migrations (
            version bigint primary key,
            name text not null,
            checksum bytea not null,
            applied_at timestamptz not null default now()
        );
        create table freehold.generated (
            name text primary key,
            checksum bytea not null,
            applied_at timestamptz not null default now()
        );";
    sqlx::raw_sql(sql).execute(conn).await.context("bookkeeping")?;
    Ok(())
}

/// Applies what is not applied yet, in order.
pub(super) async fn apply_pending(
    conn: &mut PgConnection,
    migrations: &Migrator,
) -> Result<Vec<String>> {
    let applied = applied(conn).await?;
    agrees(&applied, migrations)?;
    let mut names = Vec::new();
    for it in migrations.iter().filter(|it| !applied.contains_key(&it.version)) {
        let name = name(it);
        sqlx::raw_sql(it.sql.clone())
            .execute(&mut *conn)
            .await
            .with_context(|| format!("migration {name}"))?;
        let sql = "
            insert into freehold.schema_migrations (version, name, checksum)
            values ($1, $2, $3)";
        sqlx::query(sql)
            .bind(it.version)
            .bind(&name)
            .bind(it.checksum.as_ref())
            .execute(&mut *conn)
            .await?;
        names.push(name);
    }
    Ok(names)
}

/// The names of what is not applied yet; all, when the database was never migrated.
pub(super) async fn pending(conn: &mut PgConnection, migrations: &Migrator) -> Result<Vec<String>> {
    let applied = if exists(conn).await? { applied(conn).await? } else { BTreeMap::new() };
    agrees(&applied, migrations)?;
    let pending = migrations.iter().filter(|it| !applied.contains_key(&it.version));
    Ok(pending.map(name).collect())
}

/// The names of what is applied.
pub(super) async fn applied_names(conn: &mut PgConnection) -> Result<Vec<String>> {
    let applied = if exists(conn).await? { applied(conn).await? } else { BTreeMap::new() };
    Ok(applied.into_values().map(|(name, _)| name).collect())
}

async fn exists(conn: &mut PgConnection) -> Result<bool> {
    let sql = "select to_regclass('freehold.schema_migrations') is not null";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

fn name(it: &sqlx::migrate::Migration) -> String {
    format!("{:04}_{}", it.version, it.description.replace(' ', "_"))
}

type Applied = BTreeMap<i64, (String, Vec<u8>)>;

async fn applied(conn: &mut PgConnection) -> Result<Applied> {
    let sql = "
        select version, name, checksum
        from freehold.schema_migrations";
    let rows: Vec<(i64, String, Vec<u8>)> = sqlx::query_as(sql).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(version, name, sum)| (version, (name, sum))).collect())
}

/// What was applied is a beginning of what this build has, unchanged.
fn agrees(applied: &Applied, migrations: &Migrator) -> Result<()> {
    let newest = applied.keys().max().copied().unwrap_or_default();
    for it in migrations.iter() {
        match applied.get(&it.version) {
            Some((name, checksum)) => ensure!(
                checksum == it.checksum.as_ref(),
                "migration {name} was changed after it was applied here; \
                 write a new one instead, or make the database anew"
            ),
            None => ensure!(
                newest < it.version,
                "migration {} comes before version {newest}, which is already applied; give it a higher number",
                name(it)
            ),
        }
    }
    let unknown = applied.iter().find(|(version, _)| !migrations.version_exists(**version));
    ensure!(
        unknown.is_none(),
        "the database is at {}, which this build does not know; use the build that migrated it, or a newer one",
        unknown.map_or("", |(_, (name, _))| name)
    );
    Ok(())
}
