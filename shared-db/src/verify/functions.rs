//! Functions and triggers: code that runs with somebody else's rights, or on somebody else's statement.

use super::{Finding, Kind, Look};
use crate::{
    grants,
    quote::ident,
    scope::Service::{self, Runtime, Web},
};
use anyhow::Result;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = security_definer(look).await?;
    all.extend(purges(look).await?);
    all.extend(triggers(look).await?);
    Ok(all)
}

/// The functions by which a platform role may act as the owner, with the role: a purge of what is append-only, and nothing else.
fn holes() -> Vec<(&'static str, &'static str)> {
    let of = |it: Service| grants::purge_functions(it).map(|name| (name, it.platform_role()));
    [Web, Runtime].into_iter().flat_map(of).collect()
}

/// PUBLIC may execute a new function unless somebody says no, and SECURITY DEFINER makes it act as its owner.
async fn security_definer(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select p.oid::regprocedure::text, o.rolname::text, array_agg(r.rolname::text order by r.rolname)
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        join pg_roles o on o.oid = p.proowner
        cross join pg_roles r
        where p.prosecdef
            and n.nspname not in ('pg_catalog', 'information_schema')
            and r.rolname = any ($1) and not r.rolsuper and r.oid <> p.proowner
            and has_function_privilege(r.oid, p.oid, 'execute')
            and not exists (
                select 1
                from unnest($2::text[], $3::text[]) as hole (name, role)
                where to_regprocedure(hole.name) = p.oid and hole.role = r.rolname
            )
        group by 1, 2
        order by 1";
    let (names, holders): (Vec<_>, Vec<_>) = holes().into_iter().unzip();
    let rows: Vec<(String, String, Vec<String>)> = sqlx::query_as(sql)
        .bind(Look::roles())
        .bind(names)
        .bind(holders)
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(name, owner, roles): (String, String, Vec<String>)| {
        let roles = roles.join(", ");
        let why = format!("{roles} may execute it, and it acts as {owner}");
        let mend = format!("revoke execute on routine {name} from public, {roles}");
        Finding::new(Kind::SecurityDefiner, name, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Without them an organization that asked to be erased stays.
async fn purges(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select hole.name, hole.role
        from unnest($1::text[], $2::text[]) as hole (name, role)
        where to_regprocedure(hole.name) is not null
            and not coalesce(has_function_privilege(to_regrole(hole.role), to_regprocedure(hole.name), 'execute'), true)";
    let of = |it: Service| grants::PURGE_STEPS.map(|name| (name, it.platform_role()));
    let steps = [Web, Runtime].into_iter().flat_map(of);
    let (names, holders): (Vec<_>, Vec<_>) = holes().into_iter().chain(steps).unzip();
    let rows: Vec<(String, String)> =
        sqlx::query_as(sql).bind(names).bind(holders).fetch_all(&mut *look.conn).await?;
    let finding = |(name, role): (String, String)| {
        let mend = format!("grant execute on function {name} to {role}");
        Finding::new(Kind::PrivilegeMissing, name, format!("{role} has to execute it"), mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// A trigger runs on the statement of another, and in a cascade as the owner of the table. The boundary has one, made by itself.
async fn triggers(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select t.tgname::text, c.oid::regclass::text, t.tgfoid::regprocedure::text, p.prosecdef
        from unnest($1::text[]) as it (path)
        join pg_class c on c.oid = to_regclass(path)
        join pg_trigger t on t.tgrelid = c.oid and not t.tgisinternal
        join pg_proc p on p.oid = t.tgfoid
        where t.tgname <> $2 or t.tgfoid::regprocedure::text <> $3
        order by 2, 1";
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(sql)
        .bind(look.paths())
        .bind(grants::TOUCH_TRIGGER)
        .bind(grants::TOUCH_FUNCTION)
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(trigger, path, function, definer): (String, String, String, bool)| {
        let whose = if definer { "its owner's rights" } else { "the rights of whoever writes" };
        let why = format!("it runs {function} with {whose}, and the boundary did not make it");
        let mut mend = format!("drop trigger if exists {} on {path}", ident(&trigger));
        if trigger == grants::TOUCH_TRIGGER {
            mend = grants::touch_trigger(&path);
        }
        Finding::new(Kind::Trigger, format!("{trigger} on {path}"), why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
