//! Who owns the objects: an owner can do everything to them, and give it to others.

use super::{Finding, Kind, Look};
use crate::{
    contract::{OWN_SCHEMA, Principal},
    grants,
    migrate::columns,
    quote::ident,
};
use anyhow::Result;

/// Relations, routines, types and schemas with what ALTER calls them. Sequences of a column follow their table.
const OBJECTS: &str = "
    with wrong as (
        select r.oid, r.rolname, r.rolname = any ($3) as service
        from pg_roles r
        where r.rolname <> $2
    ),
    ours as (
        select n.oid
        from pg_namespace n
        where n.nspname = any ($1)
    )
    select
        case c.relkind
            when 'v' then 'view'
            when 'm' then 'materialized view'
            when 'S' then 'sequence'
            when 'f' then 'foreign table'
            else 'table'
        end,
        c.oid::regclass::text, w.rolname::text
    from pg_class c
    join wrong w on w.oid = c.relowner
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        and (w.service or c.relnamespace in (select oid from ours))
        and not exists (
            select 1
            from pg_depend d
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        )
    union all
    select 'routine', p.oid::regprocedure::text, w.rolname::text
    from pg_proc p
    join wrong w on w.oid = p.proowner
    where w.service or p.pronamespace in (select oid from ours)
    union all
    select 'type', t.oid::regtype::text, w.rolname::text
    from pg_type t
    join wrong w on w.oid = t.typowner
    where t.typtype in ('e', 'd', 'r') and (w.service or t.typnamespace in (select oid from ours))
    union all
    select 'schema', quote_ident(n.nspname), w.rolname::text
    from pg_namespace n
    join wrong w on w.oid = n.nspowner
    where w.service or n.oid in (select oid from ours)
    union all
    select 'database', quote_ident(d.datname), w.rolname::text
    from pg_database d
    join wrong w on w.oid = d.datdba
    where w.service and d.datname = current_database()
    order by 1, 2";

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(OBJECTS)
        .bind(grants::schemas())
        .bind(&look.contract.owner)
        .bind(look.restricted())
        .fetch_all(&mut *look.conn)
        .await?;
    let columns = columns(look.conn).await?;
    let mut all = Vec::new();
    for (word, name, owner) in rows {
        let mut mend =
            vec![format!("alter {word} {name} owner to {}", ident(&look.contract.owner))];
        // A new owner takes the place of the old one in the list of grants, and swallows its own entry.
        if let Some(table) = look.table(&name) {
            let of_table = columns.get(&(table.schema.to_owned(), table.name.clone()));
            let of_table = of_table.map_or(&[][..], Vec::as_slice);
            mend.extend(
                Principal::ALL.into_iter().flat_map(|it| grants::grant(table, it, of_table)),
            );
        } else if word == "schema" && grants::schemas().contains(&name.as_str()) {
            mend.push(format!("grant usage on schema {name} to {}", Look::roles().join(", ")));
        } else if name.starts_with(&format!("{OWN_SCHEMA}.")) && word == "table" {
            mend.push(format!("grant select on {name} to {}", Look::roles().join(", ")));
        }
        let why = format!("it belongs to {owner}, who can do anything to it and give it to others");
        all.push(Finding::new(Kind::Ownership, format!("{word} {name}"), why, mend.join("; ")));
    }
    Ok(all)
}
