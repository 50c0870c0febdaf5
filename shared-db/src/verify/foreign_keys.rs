//! Foreign keys: their actions run as the owner of the table, so they write where the service may not; and they see every row.

use super::{Finding, Kind, Look};
use crate::{contract::RowScope, quote::ident};
use anyhow::Result;

#[derive(sqlx::FromRow)]
struct Key {
    name: String,
    path: String,
    target: String,
    columns: Vec<String>,
    target_columns: Vec<String>,
    /// The codes of `pg_constraint`: `a` is NO ACTION.
    on_delete: String,
    on_update: String,
}

impl Key {
    fn acts(&self) -> bool {
        self.on_delete != "a" || self.on_update != "a"
    }

    /// Drops it and makes it again with these columns, and with its actions if `acting`.
    fn again(&self, columns: &[String], target_columns: &[String], acting: bool) -> String {
        let list =
            |names: &[String]| names.iter().map(|it| ident(it)).collect::<Vec<_>>().join(", ");
        let name = ident(&self.name);
        let mut sql = format!(
            "alter table {} drop constraint {name}, add constraint {name} foreign key ({}) references {} ({})",
            self.path,
            list(columns),
            self.target,
            list(target_columns)
        );
        for (event, code) in [("delete", &self.on_delete), ("update", &self.on_update)] {
            if acting && code != "a" {
                sql.push_str(" on ");
                sql.push_str(event);
                sql.push(' ');
                sql.push_str(action(code));
            }
        }
        sql
    }
}

fn action(code: &str) -> &'static str {
    match code {
        "c" => "cascade",
        "n" => "set null",
        "d" => "set default",
        "r" => "restrict",
        _ => "no action",
    }
}

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select
            k.conname::text as name,
            k.conrelid::regclass::text as path,
            k.confrelid::regclass::text as target,
            array(
                select a.attname::text
                from unnest(k.conkey) with ordinality as it (num, place)
                join pg_attribute a on a.attrelid = k.conrelid and a.attnum = it.num
                order by place
            ) as columns,
            array(
                select a.attname::text
                from unnest(k.confkey) with ordinality as it (num, place)
                join pg_attribute a on a.attrelid = k.confrelid and a.attnum = it.num
                order by place
            ) as target_columns,
            k.confdeltype::text as on_delete,
            k.confupdtype::text as on_update
        from pg_constraint k
        where k.contype = 'f' and k.conparentid = 0
        order by 2, 1";
    let keys: Vec<Key> = sqlx::query_as(sql).fetch_all(&mut *look.conn).await?;
    let mut all = Vec::new();
    for key in &keys {
        all.extend(across_owners(look, key));
        all.extend(across_tenants(look, key));
    }
    Ok(all)
}

fn across_owners(look: &Look<'_>, key: &Key) -> Option<Finding> {
    let [from, to] = [&key.path, &key.target].map(|it| look.table(it).map(|it| it.owner));
    if from == to || !key.acts() {
        return None;
    }
    let (event, code) =
        if key.on_delete == "a" { ("update", &key.on_update) } else { ("delete", &key.on_delete) };
    let why = format!(
        "whoever may {event} rows of {} writes {} through its {}",
        key.target,
        key.path,
        action(code)
    );
    let object = format!("{} on {}", key.name, key.path);
    let mend = key.again(&key.columns, &key.target_columns, false);
    Some(Finding::new(Kind::CrossOwnerAction, object, why, mend))
}

/// A row of one organization must not be able to reference a row of another: the check sees all rows, and tells whether one is there.
fn across_tenants(look: &Look<'_>, key: &Key) -> Option<Finding> {
    let (table, target) = (look.table(&key.path)?, look.table(&key.target)?);
    if !table.scope.has_org_id() {
        return None;
    }
    // The column of the target that says whose row it is.
    let owner_column = match target.scope {
        RowScope::Tenant | RowScope::Private | RowScope::Queue => "org_id",
        RowScope::Organization => "id",
        RowScope::User | RowScope::Global => return None,
    };
    let pairs = || key.columns.iter().zip(&key.target_columns);
    let allowed = |column: &String| column == "org_id" || table.cross_tenant.contains(column);
    if pairs().any(|(column, of_target)| of_target == owner_column && allowed(column)) {
        return None;
    }
    let object = format!("{} on {}", key.name, key.path);
    let why =
        format!("it can point at a row of {} that belongs to another organization", key.target);
    let mend = if target.scope == RowScope::Organization {
        format!("alter table {} drop constraint {}", key.path, ident(&key.name))
    } else {
        // org_id takes the place of what pointed at the owner of the row, if anything did.
        let own = "org_id".to_owned();
        let rest = pairs().filter(|(column, of_target)| **column != own && **of_target != own);
        let (mut columns, mut target_columns) = (vec![own.clone()], vec![own.clone()]);
        for (column, of_target) in rest {
            columns.push(column.clone());
            target_columns.push(of_target.clone());
        }
        key.again(&columns, &target_columns, true)
    };
    Some(Finding::new(Kind::TenantKey, object, why, mend))
}
