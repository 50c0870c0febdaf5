//! What the roles of the services can effectively do: to tables, columns, sequences, schemas, and to what comes in future.

mod columns;
mod future;
mod others;

use super::{Finding, Kind, Look};
use crate::{
    contract::{OWN_SCHEMA, Principal, Verb},
    grants,
    migrate::columns,
    quote::ident,
};
use anyhow::Result;
use std::collections::HashSet;

/// MAINTAIN is a privilege from this version on.
const MAINTAIN_SINCE: i32 = 170_000;

/// `earlier` are findings about roles and owners: they explain privileges that nobody granted.
pub(super) async fn check(look: &mut Look<'_>, earlier: &[Finding]) -> Result<Vec<Finding>> {
    let mut all = tables(look, earlier).await?;
    all.extend(grant_options(look).await?);
    all.extend(columns::check(look).await?);
    all.extend(bookkeeping(look).await?);
    all.extend(containers(look).await?);
    all.extend(sequences(look).await?);
    all.extend(others::check(look).await?);
    all.extend(future::check(look).await?);
    Ok(all)
}

/// A privilege as the server computes it: through grants, PUBLIC, memberships, predefined roles and ownership.
#[derive(sqlx::FromRow)]
struct Held {
    path: String,
    role: String,
    verb: String,
    /// Whether it is granted to the role or to PUBLIC.
    granted: bool,
}

async fn tables(look: &mut Look<'_>, earlier: &[Finding]) -> Result<Vec<Finding>> {
    let verbs =
        Verb::ALL.into_iter().filter(|it| *it != Verb::Maintain || MAINTAIN_SINCE <= look.server);
    let verbs: Vec<_> = verbs.collect();
    let sql = "
        select path, role, verb, exists (
            select 1
            from aclexplode(c.relacl) a
            where a.grantee in (0, r.oid) and lower(a.privilege_type) = verb
        ) as granted
        from unnest($1::text[]) as t (path)
        join pg_class c on c.oid = to_regclass(path)
        cross join unnest($2::text[]) as p (role)
        join pg_roles r on r.rolname = role
        cross join unnest($3::text[]) as v (verb)
        where has_table_privilege(r.oid, c.oid, verb)";
    let held: Vec<Held> = sqlx::query_as(sql)
        .bind(look.paths())
        .bind(Look::roles())
        .bind(verbs.iter().map(|it| it.sql()).collect::<Vec<_>>())
        .fetch_all(&mut *look.conn)
        .await?;
    let existing = columns(look.conn).await?;
    let explained: HashSet<_> = earlier
        .iter()
        .filter(|it| matches!(it.kind, Kind::RoleAttribute | Kind::Membership | Kind::Ownership))
        .map(|it| it.object.as_str())
        .collect();
    let owned = |path: &str| explained.contains(format!("table {path}").as_str());
    let mut all = Vec::new();
    for table in &look.contract.tables {
        let path = table.path();
        let Some(of_table) = existing.get(&(table.schema.to_owned(), table.name.clone())) else {
            continue;
        };
        for principal in Principal::ALL {
            let role = principal.role();
            for verb in &verbs {
                let held = held
                    .iter()
                    .find(|it| it.path == path && it.role == role && it.verb == verb.sql());
                let may = table.may(principal, *verb);
                let hides = *verb == Verb::Select && table.hides_from(principal);
                let inherited = held.is_some_and(|it| !it.granted);
                if inherited && (explained.contains(role) || owned(&path)) {
                    continue;
                }
                let word = verb.sql();
                match (held.is_some(), may && !hides) {
                    (true, false) if hides => {
                        let mut mend = vec![format!("revoke select on {path} from public, {role}")];
                        mend.extend(grants::grant(table, principal, of_table));
                        let why = format!("{role} can read {}", table.secret.join(", "));
                        all.push(Finding::new(Kind::SecretReadable, &path, why, mend.join("; ")));
                    }
                    (true, false) => {
                        let why = format!(
                            "{role} may {word} it, and the contract says {}",
                            table.comment()
                        );
                        let mend = format!("revoke {word} on {path} from public, {role}");
                        all.push(Finding::new(Kind::TablePrivilege, &path, why, mend));
                    }
                    (false, true) if !owned(&path) => {
                        let mend = format!("grant {word} on {path} to {role}");
                        let why = format!("{role} has to {word} it");
                        all.push(Finding::new(Kind::PrivilegeMissing, &path, why, mend));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(all)
}

async fn grant_options(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select path, r.rolname::text, string_agg(lower(a.privilege_type), ', ' order by a.privilege_type)
        from unnest($1::text[]) as t (path)
        join pg_class c on c.oid = to_regclass(path)
        cross join aclexplode(c.relacl) a
        join pg_roles r on r.oid = a.grantee
        where a.is_grantable and r.rolname = any ($2)
            and a.grantee <> c.relowner
        group by 1, 2
        order by 1, 2";
    let rows: Vec<(String, String, String)> = sqlx::query_as(sql)
        .bind(look.paths())
        .bind(Look::roles())
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(path, role, verbs): (String, String, String)| {
        let why = format!("{role} may grant {verbs} to others");
        let mend = format!("revoke grant option for {verbs} on {path} from {role} cascade");
        Finding::new(Kind::GrantOption, path, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// The bookkeeping of migrations: everybody reads it, nobody but the owner writes it.
async fn bookkeeping(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select c.oid::regclass::text, r.rolname::text
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        cross join pg_roles r
        where n.nspname = $1 and c.relkind in ('r', 'p') and r.rolname = any ($2) and not r.rolsuper
            and (
                has_table_privilege(r.oid, c.oid, 'insert, update, delete, truncate, references, trigger')
                or has_any_column_privilege(r.oid, c.oid, 'insert, update, references')
            )";
    let rows: Vec<(String, String)> =
        sqlx::query_as(sql).bind(OWN_SCHEMA).bind(Look::roles()).fetch_all(&mut *look.conn).await?;
    let finding = |(path, role): (String, String)| {
        let why = format!("{role} may write it, and could claim another schema version");
        let mend =
            format!("revoke all on {path} from public, {role}; grant select on {path} to {role}");
        Finding::new(Kind::TablePrivilege, path, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Schemas and the database: a role that makes objects owns them.
async fn containers(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select 'schema', n.nspname::text, r.rolname::text
        from pg_namespace n
        cross join pg_roles r
        where r.rolname = any ($1) and not r.rolsuper
            and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
            and n.nspowner <> r.oid
            and has_schema_privilege(r.oid, n.oid, 'create')
        union all
        select 'database', current_database()::text, r.rolname::text
        from pg_roles r
        where r.rolname = any ($1) and not r.rolsuper
            and has_database_privilege(r.oid, current_database(), 'create')
        order by 1, 2, 3";
    let rows: Vec<(String, String, String)> =
        sqlx::query_as(sql).bind(Look::roles()).fetch_all(&mut *look.conn).await?;
    let finding = |(word, name, role): (String, String, String)| {
        let kind = if word == "schema" { Kind::SchemaCreate } else { Kind::DatabaseCreate };
        let mend = format!("revoke create on {word} {} from public, {role}", ident(&name));
        Finding::new(
            kind,
            name,
            format!("{role} may create objects in it, and would own them"),
            mend,
        )
    };
    let mut all: Vec<_> = rows.into_iter().map(finding).collect();
    let sql = "
        select n.nspname::text, r.rolname::text
        from pg_namespace n
        cross join pg_roles r
        where r.rolname = any ($1) and n.nspname = any ($2)
            and not has_schema_privilege(r.oid, n.oid, 'usage')";
    let rows: Vec<(String, String)> = sqlx::query_as(sql)
        .bind(Look::roles())
        .bind(grants::schemas())
        .fetch_all(&mut *look.conn)
        .await?;
    all.extend(rows.into_iter().map(|(name, role)| {
        let mend = format!("grant usage on schema {name} to {role}");
        Finding::new(Kind::PrivilegeMissing, name, format!("{role} can't reach its tables"), mend)
    }));
    Ok(all)
}

async fn sequences(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select c.oid::regclass::text, r.rolname::text
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        cross join pg_roles r
        where c.relkind = 'S' and n.nspname = any ($1)
            and r.rolname = any ($2) and not r.rolsuper and c.relowner <> r.oid
            and has_sequence_privilege(r.oid, c.oid, 'usage, select, update')
        order by 1, 2";
    let rows: Vec<(String, String)> = sqlx::query_as(sql)
        .bind(grants::schemas())
        .bind(Look::roles())
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |(path, role): (String, String)| {
        let mend = format!("revoke all on sequence {path} from public, {role}");
        Finding::new(Kind::SequencePrivilege, path, format!("{role} may use or set it"), mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
