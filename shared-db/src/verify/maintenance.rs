//! The maintenance login: that it may run the functions of retention, that nobody else may, and that it may do nothing else.

use super::{Finding, Kind, Look};
use crate::{
    contract::OWN_SCHEMA,
    grants::{self, MAINTENANCE_FUNCTIONS},
    quote::{self, ident},
};
use anyhow::Result;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = missing(look).await?;
    all.extend(others(look).await?);
    all.extend(relations(look).await?);
    all.extend(schemas(look).await?);
    all.extend(routines(look).await?);
    Ok(all)
}

/// Without them partitions run out, and everything falls into the default one.
async fn missing(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let role = look.contract.maintenance.as_str();
    let sql = "
        select name
        from unnest($2::text[]) as it (name)
        where to_regprocedure(name) is not null
            and not coalesce(has_function_privilege(to_regrole($1), to_regprocedure(name), 'execute'), true)";
    let names: Vec<String> = sqlx::query_scalar(sql)
        .bind(ident(role))
        .bind(MAINTENANCE_FUNCTIONS)
        .fetch_all(&mut *look.conn)
        .await?;
    let mut all: Vec<_> = names
        .into_iter()
        .map(|name| {
            let mend = format!("grant execute on function {name} to {}", ident(role));
            Finding::new(Kind::PrivilegeMissing, name, format!("{role} has to execute it"), mend)
        })
        .collect();
    let sql = "select coalesce(not has_schema_privilege(to_regrole($1), $2, 'usage'), false)";
    let shut_out: bool = sqlx::query_scalar(sql)
        .bind(ident(role))
        .bind(OWN_SCHEMA)
        .fetch_one(&mut *look.conn)
        .await?;
    if shut_out {
        let mend = format!("grant usage on schema {OWN_SCHEMA} to {}", ident(role));
        let why = format!("{role} can't reach its functions");
        all.push(Finding::new(Kind::PrivilegeMissing, OWN_SCHEMA, why, mend));
    }
    Ok(all)
}

/// Whoever is given a function that acts as the owner. What the services may execute is told with all such functions; operators may
/// be members of the owner, and superusers may do anything.
async fn others(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select p.oid::regprocedure::text, string_agg(distinct coalesce(r.rolname::text, 'public'), ', ')
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        left join pg_roles r on r.oid = a.grantee
        where n.nspname = $1 and p.prosecdef
            and a.grantee <> p.proowner and r.rolname is distinct from $2 and coalesce(r.rolname <> all ($3), true)
        group by 1
        order by 1";
    let rows: Vec<(String, String)> = sqlx::query_as(sql)
        .bind(OWN_SCHEMA)
        .bind(&look.contract.maintenance)
        .bind(Look::roles())
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(name, roles): (String, String)| {
        let why =
            format!("{roles} may execute it, and it is for {} alone", look.contract.maintenance);
        let mend = format!("revoke execute on routine {name} from {roles}");
        Finding::new(Kind::SecurityDefiner, name, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// It works through functions: no table, view or sequence is its own to read or write, and no partition.
async fn relations(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select c.oid::regclass::text, c.relkind = 'S', exists (
            select 1
            from aclexplode(c.relacl) a
            where a.grantee = r.oid and a.is_grantable
        )
        from pg_roles r
        cross join pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where r.rolname = $1 and not r.rolsuper and c.relowner <> r.oid
            and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and case
                when c.relkind = 'S' then has_sequence_privilege(r.oid, c.oid, 'usage, select, update')
                when c.relkind in ('r', 'p', 'v', 'm', 'f') then
                    has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate, references, trigger')
                    or has_any_column_privilege(r.oid, c.oid, 'select, insert, update, references')
                else false
            end
        order by 1";
    let role = &look.contract.maintenance;
    let rows: Vec<(String, bool, bool)> =
        sqlx::query_as(sql).bind(role).fetch_all(&mut *look.conn).await?;
    let finding = |(path, sequence, grantable): (String, bool, bool)| {
        let (kind, word) = if sequence {
            (Kind::SequencePrivilege, "sequence ")
        } else {
            (Kind::TablePrivilege, "")
        };
        let cascade = if grantable { " cascade" } else { "" };
        let mend = format!("revoke all on {word}{path} from public, {}{cascade}", ident(role));
        Finding::new(
            kind,
            path,
            format!("{role} may reach it, and is for its functions alone"),
            mend,
        )
    };
    Ok(rows.into_iter().map(finding).collect())
}

async fn schemas(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select 'schema', n.nspname::text
        from pg_namespace n
        join pg_roles r on r.rolname = $1
        where not r.rolsuper and n.nspowner <> r.oid
            and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and has_schema_privilege(r.oid, n.oid, 'create')
        union all
        select 'database', current_database()::text
        from pg_roles r
        where r.rolname = $1 and not r.rolsuper
            and has_database_privilege(r.oid, current_database(), 'create')
        order by 1, 2";
    let role = &look.contract.maintenance;
    let rows: Vec<(String, String)> =
        sqlx::query_as(sql).bind(role).fetch_all(&mut *look.conn).await?;
    let finding = |(word, name): (String, String)| {
        let kind = if word == "schema" { Kind::SchemaCreate } else { Kind::DatabaseCreate };
        let mend = format!("revoke create on {word} {} from public, {}", ident(&name), ident(role));
        Finding::new(
            kind,
            name,
            format!("{role} may create objects in it, and would own them"),
            mend,
        )
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Functions that act as somebody else and are not its own.
async fn routines(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select n.nspname::text, p.oid::regprocedure::text, o.rolname::text, a.grantee is not null
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        join pg_roles o on o.oid = p.proowner
        join pg_roles r on r.rolname = $1
        left join lateral (
            select a.grantee
            from aclexplode(p.proacl) a
            where a.grantee = r.oid and a.is_grantable
            limit 1
        ) as a on true
        where not r.rolsuper and p.proowner <> r.oid
            and n.nspname not in ('pg_catalog', 'information_schema')
            and (
                (p.oid::regprocedure::text <> all ($2) and (p.prosecdef or n.nspname = any ($3))
                    and has_function_privilege(r.oid, p.oid, 'execute'))
                or a.grantee is not null
            )
        order by 1, 2";
    let role = &look.contract.maintenance;
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(sql)
        .bind(role)
        .bind(MAINTENANCE_FUNCTIONS)
        .bind(grants::schemas())
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(_, name, owner, grantable): (String, String, String, bool)| {
        let its_own = MAINTENANCE_FUNCTIONS.contains(&name.as_str());
        if its_own && grantable {
            let why = format!("{role} may give it to others");
            let role = ident(role);
            let mend =
                format!("revoke grant option for execute on routine {name} from {role} cascade");
            return Finding::new(Kind::GrantOption, name, why, mend);
        }
        let why = format!("{role} may execute it, which belongs to {owner}");
        let mend = format!("revoke execute on routine {name} from public, {}", quote::ident(role));
        Finding::new(Kind::SecurityDefiner, name, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
