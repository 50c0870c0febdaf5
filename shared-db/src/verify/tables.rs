//! Whether the tables are those of the contract, and carry what their scope needs.

use super::{Finding, Kind, Look, drift};
use crate::{migrate, quote};
use anyhow::Result;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = contract(look).await?;
    all.extend(org_id(look).await?);
    all.extend(partitions(look).await?);
    Ok(all)
}

async fn contract(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let there = migrate::tables(look.conn).await?;
    let mut all = Vec::new();
    for (schema, name) in &there {
        if look.contract.table(schema, name).is_none() {
            let path = quote::path(schema, name);
            let why = "ownership.toml does not name it, so nobody says who writes it";
            all.push(Finding::new(Kind::TableExtra, &path, why, format!("drop table {path}")));
        }
    }
    for table in &look.contract.tables {
        if !there.iter().any(|(schema, name)| schema == table.schema && *name == table.name) {
            let mend = drift::create_table(&table.path());
            let why = "ownership.toml names it, and it does not exist";
            all.push(Finding::new(Kind::TableMissing, table.path(), why, mend));
        }
    }
    Ok(all)
}

async fn org_id(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let tenant = look.contract.tables.iter().filter(|it| it.scope.has_org_id());
    let paths: Vec<_> = tenant.map(crate::contract::Table::path).collect();
    let sql = "
        select path, a.attnotnull
        from unnest($1::text[]) as it (path)
        left join pg_attribute a
            on a.attrelid = to_regclass(path) and a.attname = 'org_id' and not a.attisdropped
        where to_regclass(path) is not null and a.attnotnull is distinct from true";
    let rows: Vec<(String, Option<bool>)> =
        sqlx::query_as(sql).bind(paths).fetch_all(&mut *look.conn).await?;
    let finding = |(path, there): (String, Option<bool>)| {
        let (why, mend) = if there.is_none() {
            ("its rows belong to nobody: it has no org_id", "add column org_id uuid not null")
        } else {
            ("a row without an organization can exist", "alter column org_id set not null")
        };
        let mend = format!("alter table {path} {mend}");
        Finding::new(Kind::OrgId, path, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Row-level security of the root does not hold for whoever names a partition or child directly.
async fn partitions(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        with recursive children as (
            select i.inhrelid as oid
            from pg_inherits i
            join unnest($1::text[]) as it (path) on to_regclass(path) = i.inhparent
            union
            select i.inhrelid
            from pg_inherits i
            join children c on c.oid = i.inhparent
        )
        select c.oid::regclass::text, c.relispartition
        from children
        join pg_class c on c.oid = children.oid
        where c.relkind in ('r', 'p', 'f')
            and (
                not c.relispartition
                or exists (
                    select 1
                    from unnest($2::text[]) as role
                    join pg_roles r on r.rolname = role
                    where has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate')
                        or has_any_column_privilege(r.oid, c.oid, 'select, insert, update')
                )
            )
        order by 1";
    let rows: Vec<(String, bool)> = sqlx::query_as(sql)
        .bind(look.paths())
        .bind(look.restricted())
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(path, partition): (String, bool)| {
        let (why, mend) = if partition {
            let why = "a service can reach it directly, past the row-level security of its root";
            (why, format!("revoke all on {path} from public, {}", look.restricted().join(", ")))
        } else {
            (
                "its rows appear in its parent, past the parent's policies",
                format!("drop table {path}"),
            )
        };
        Finding::new(Kind::Partition, path, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
