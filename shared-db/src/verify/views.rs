//! Views, materialized views and rules: each can run with the rights of its owner instead of those of the caller.

use super::{Finding, Kind, Look};
use crate::quote::ident;
use anyhow::Result;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = views(look).await?;
    all.extend(rules(look).await?);
    Ok(all)
}

#[derive(sqlx::FromRow)]
struct View {
    path: String,
    materialized: bool,
    invoker: bool,
    /// Whether inserts, updates or deletes can go through it, by itself or by INSTEAD triggers and rules.
    updatable: bool,
    writers: Vec<String>,
}

/// Views of tables of the contract, and views of those views, in any schema.
async fn views(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        with recursive reading as (
            select distinct w.ev_class as oid
            from unnest($1::text[]) as t (path)
            join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = to_regclass(path)
            join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
            union
            select w.ev_class
            from reading v
            join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = v.oid
            join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
        )
        select
            c.oid::regclass::text as path,
            c.relkind = 'm' as materialized,
            coalesce((
                select lower(o.option_value) in ('true', 'on', 'yes', '1')
                from pg_options_to_table(c.reloptions) o
                where o.option_name = 'security_invoker'
            ), false) as invoker,
            -- Bits of UPDATE, INSERT and DELETE.
            pg_relation_is_updatable(c.oid, true) & (4 | 8 | 16) <> 0 as updatable,
            array(
                select r.rolname::text
                from pg_roles r
                where r.rolname = any ($2) and not r.rolsuper
                    and (
                        has_table_privilege(r.oid, c.oid, 'insert, update, delete')
                        or has_any_column_privilege(r.oid, c.oid, 'insert, update')
                    )
                order by 1
            ) as writers
        from reading v
        join pg_class c on c.oid = v.oid
        where c.relkind in ('v', 'm')
        order by 1";
    let views: Vec<View> = sqlx::query_as(sql)
        .bind(look.paths())
        .bind(Look::roles())
        .fetch_all(&mut *look.conn)
        .await?;
    let mut all = Vec::new();
    for view in views {
        let path = &view.path;
        if view.materialized {
            let why = "it keeps a copy of rows, which row-level security does not cover";
            all.push(Finding::new(
                Kind::MaterializedView,
                path,
                why,
                format!("drop materialized view {path}"),
            ));
            continue;
        }
        if !view.invoker {
            let why = "it reads with the rights of its owner: row-level security is the owner's, not the caller's";
            let mend = format!("alter view {path} set (security_invoker = true)");
            all.push(Finding::new(Kind::ViewWithoutInvoker, path, why, mend));
        }
        if view.updatable && !view.writers.is_empty() {
            let writers = view.writers.join(", ");
            let why = format!("{writers} may write the table under it through it");
            let mend = format!("revoke insert, update, delete on {path} from public, {writers}");
            all.push(Finding::new(Kind::UpdatableView, path, why, mend));
        }
    }
    Ok(all)
}

/// What a rule adds runs with the rights of the owner of its table. The boundary needs none.
async fn rules(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select w.rulename::text, c.oid::regclass::text
        from pg_rewrite w
        join pg_class c on c.oid = w.ev_class
        join pg_namespace n on n.oid = c.relnamespace
        where w.rulename <> '_RETURN' and n.nspname not in ('pg_catalog', 'information_schema')
        order by 2, 1";
    let rows: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut *look.conn).await?;
    let finding = |(rule, path): (String, String)| {
        let why = "it turns statements into others, which run with the rights of the table's owner";
        let mend = format!("drop rule if exists {} on {path}", ident(&rule));
        Finding::new(Kind::Rule, format!("{rule} on {path}"), why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
