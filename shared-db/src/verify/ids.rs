//! Columns that keep ids of users and of other organizations: what a purge does not know of it can not take out.

use super::{Finding, Kind, Look};
use crate::quote::{self, ident};
use anyhow::Result;

/// Columns whose names say that they name a user or an organization, but for those that a foreign key names.
const NAMING: &str = "
    select n.nspname::text, c.relname::text, a.attname::text, a.attname ~ '(^|_)user_ids?$|_by$'
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('web', 'runtime') and c.relkind in ('r', 'p') and not c.relispartition
        and a.attnum > 0 and not a.attisdropped
        and a.atttypid in ('uuid'::regtype, 'uuid[]'::regtype)
        and a.attname ~ '(^|_)user_ids?$|_by$|(^|_)org_ids?$|(^|_)organization_ids?$'
        and not exists (
            select 1
            from pg_constraint k
            where k.contype = 'f' and k.conrelid = a.attrelid and a.attnum = any (k.conkey)
        )
    order by 1, 2, 3";

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let rows: Vec<(String, String, String, bool)> =
        sqlx::query_as(NAMING).fetch_all(&mut *look.conn).await?;
    let contract = look.contract;
    let finding = |(schema, name, column, user): (String, String, String, bool)| {
        let table = contract.table(&schema, &name)?;
        let own = table.scope.has_org_id() && column == "org_id";
        let declared = if user { &table.users } else { &table.organizations };
        if own || declared.contains(&column) {
            return None;
        }
        let path = quote::path(&schema, &name);
        let whom = if user { "users" } else { "organizations" };
        let why = format!(
            "it names {whom}, and a purge would leave it: name it in ownership.toml, under `{whom}`"
        );
        let column = ident(&column);
        let mend = format!("alter table {path} drop column {column}");
        Some(Finding::new(Kind::UndeclaredId, format!("{path}.{column}"), why, mend))
    };
    Ok(rows.into_iter().filter_map(finding).collect())
}
