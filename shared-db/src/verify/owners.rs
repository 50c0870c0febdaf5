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
    with objects as (
        select
            case c.relkind
                when 'v' then 'view'
                when 'm' then 'materialized view'
                when 'S' then 'sequence'
                when 'f' then 'foreign table'
                else 'table'
            end as word,
            c.oid::regclass::text as name, c.relowner as owner, c.relnamespace as namespace
        from pg_class c
        where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
            and not exists (
                select 1
                from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
            )
        union all
        select 'routine', p.oid::regprocedure::text, p.proowner, p.pronamespace
        from pg_proc p
        union all
        select 'type', t.oid::regtype::text, t.typowner, t.typnamespace
        from pg_type t
        where t.typtype in ('e', 'd', 'r')
        union all
        select 'schema', quote_ident(n.nspname), n.nspowner, n.oid
        from pg_namespace n
        union all
        select 'database', quote_ident(d.datname), d.datdba, 0
        from pg_database d
        where d.datname = current_database()
    )
    select o.word, o.name, r.rolname::text
    from objects o
    join pg_roles r on r.oid = o.owner
    left join pg_namespace n on n.oid = o.namespace
    where (n.nspname = any ($1) and r.rolname <> $2) or r.rolname = any ($3)
    order by 1, 2";

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(OBJECTS)
        .bind(grants::schemas())
        .bind(&look.contract.owner)
        .bind(Look::roles())
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
