//! The generated part of the schema: whether the tables are those of the contract, and then grants, triggers and policies.

use super::run_sql;
use crate::{
    contract::Contract,
    grants::{self, Columns},
    policies, quote,
};
use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// Tables of extensions and partitions are not counted: a partition is governed by its root.
const TABLES: &str = "
    select n.nspname::text, c.relname::text
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f')
        and not c.relispartition
        and n.nspname !~ '^pg_'
        and n.nspname not in ('information_schema')
        and c.oid::regclass::text not in ('freehold.schema_migrations', 'freehold.generated')
        and not exists (
            select 1
            from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
    order by 1, 2";

/// Every table of the database that the contract has to know, by schema and name.
pub(crate) async fn tables(conn: &mut PgConnection) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as(TABLES).fetch_all(conn).await?)
}

/// Stops a migration whose tables are not those of the contract.
pub(super) async fn agrees(conn: &mut PgConnection, contract: &Contract) -> Result<()> {
    let there = tables(conn).await?;
    let mut problems = Vec::new();
    for (schema, name) in &there {
        if contract.table(schema, name).is_none() {
            problems.push(format!("table {schema}.{name} is not in ownership.toml"));
        }
    }
    for it in &contract.tables {
        if !there.iter().any(|(schema, name)| schema == it.schema && *name == it.name) {
            problems.push(format!("ownership.toml names {}, which does not exist", it.path()));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("the tables are not those of the contract, nothing was changed: {}", problems.join("; "))
}

/// Applies the generated part if it is not what was applied last, or if `force`.
pub(super) async fn apply(
    conn: &mut PgConnection,
    contract: &Contract,
    force: bool,
) -> Result<bool> {
    let columns = columns(conn).await?;
    let mut statements = grants::statements(contract, &columns);
    statements.extend(policies::statements(contract));
    let sql = statements.join(";\n");
    let checksum = Sha256::digest(&sql).to_vec();
    let last = "
        select checksum
        from freehold.generated
        where name = 'boundary'";
    let last: Option<Vec<u8>> = sqlx::query_scalar(last).fetch_optional(&mut *conn).await?;
    if last.as_ref() == Some(&checksum) && !force {
        return Ok(false);
    }
    drop_policies(conn).await?;
    run_sql(conn, sql).await?;
    let remember = "
        insert into freehold.generated (name, checksum)
        values ('boundary', $1)
        on conflict (name) do update set checksum = excluded.checksum, applied_at = now()";
    sqlx::query(remember).bind(checksum).execute(conn).await?;
    Ok(true)
}

/// Lets the owner see all rows while migrations move them. [`apply`] forces row-level security on it again, in the same transaction.
pub(super) async fn lift(conn: &mut PgConnection) -> Result<()> {
    let sql = "
        select n.nspname::text, c.relname::text
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('web', 'runtime') and c.relforcerowsecurity";
    let forced: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut *conn).await?;
    let lift = |(schema, table): &(String, String)| {
        format!("alter table {} no force row level security", quote::path(schema, table))
    };
    run_sql(conn, forced.iter().map(lift).collect::<Vec<_>>().join("; ")).await
}

/// Policies are always made afresh, so that none outlives the contract.
async fn drop_policies(conn: &mut PgConnection) -> Result<()> {
    let sql = "
        select schemaname::text, tablename::text, policyname::text
        from pg_catalog.pg_policies
        where schemaname in ('web', 'runtime')";
    let there: Vec<(String, String, String)> = sqlx::query_as(sql).fetch_all(&mut *conn).await?;
    let drop = |(schema, table, policy): &(String, String, String)| {
        format!("drop policy {} on {}", quote::ident(policy), quote::path(schema, table))
    };
    run_sql(conn, there.iter().map(drop).collect::<Vec<_>>().join("; ")).await
}

/// The columns of every table, which column grants and triggers depend on.
pub(crate) async fn columns(conn: &mut PgConnection) -> Result<Columns> {
    let sql = "
        select n.nspname::text, c.relname::text, array_agg(a.attname::text order by a.attnum)
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('web', 'runtime')
            and c.relkind in ('r', 'p')
            and a.attnum > 0
            and not a.attisdropped
        group by 1, 2";
    let rows: Vec<(String, String, Vec<String>)> = sqlx::query_as(sql).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(schema, table, columns)| ((schema, table), columns)).collect())
}
