//! Who the roles are: their attributes, what they are members of, and what is set for them.

use super::{Finding, Kind, Look};
use crate::{
    contract::{Contract, Principal},
    quote::ident,
};
use anyhow::Result;
use sqlx::Row;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = attributes(look).await?;
    all.extend(memberships(look).await?);
    all.extend(platform_memberships(look).await?);
    all.extend(settings(look).await?);
    all.extend(parameters(look).await?);
    Ok(all)
}

fn everybody(contract: &Contract) -> Vec<&str> {
    let services = Principal::ALL.iter().map(|it| it.role());
    [contract.owner.as_str(), contract.maintenance.as_str()].into_iter().chain(services).collect()
}

async fn attributes(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    const DANGERS: [(&str, &str, &str); 6] = [
        ("rolsuper", "superuser", "no boundary holds for a superuser"),
        ("rolbypassrls", "bypassrls", "row-level security does not hold for it"),
        ("rolcreaterole", "createrole", "it can give itself other roles"),
        ("rolcreatedb", "createdb", "it has no need of other databases"),
        ("rolreplication", "replication", "it can read everything as a replica"),
        (
            "rolinherit",
            "inherit",
            "it would have the rights of its platform role in every statement",
        ),
    ];
    let sql = "
        select rolname::text, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, rolcanlogin
        from pg_roles
        where rolname = any ($1)";
    let names = everybody(look.contract);
    let rows = sqlx::query(sql).bind(&names).fetch_all(&mut *look.conn).await?;
    let mut all = Vec::new();
    for name in names {
        let platform = Principal::ALL.iter().any(|it| it.platform && it.role() == name);
        let row = rows.iter().find(|it| it.get::<&str, _>("rolname") == name);
        let Some(row) = row else {
            let login = if platform { "nologin" } else { "login" };
            let mend = format!("create role {} {login} noinherit", ident(name));
            all.push(Finding::new(Kind::RoleMissing, name, "the boundary needs it", mend));
            continue;
        };
        for (column, word, why) in DANGERS {
            if row.try_get(column)? {
                let mend = format!("alter role {} no{word}", ident(name));
                all.push(Finding::new(
                    Kind::RoleAttribute,
                    name,
                    format!("it has {word}: {why}"),
                    mend,
                ));
            }
        }
        if platform && row.try_get("rolcanlogin")? {
            let why = "it can log in: a platform role is stepped into for one transaction";
            let mend = format!("alter role {} nologin", ident(name));
            all.push(Finding::new(Kind::RoleAttribute, name, why, mend));
        }
    }
    Ok(all)
}

/// Whether a service's login role may be a member of this one.
fn is_its_platform_role(member: &str, role: &str) -> bool {
    let mut services = Principal::ALL.iter().map(|it| it.service);
    services.any(|it| it.role() == member && it.platform_role() == role)
}

async fn memberships(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select distinct u.rolname::text, r.rolname::text
        from pg_auth_members m
        join pg_roles u on u.oid = m.member
        join pg_roles r on r.oid = m.roleid
        where u.rolname = any ($1)
        order by 1, 2";
    let edges: Vec<(String, String)> =
        sqlx::query_as(sql).bind(look.restricted()).fetch_all(&mut *look.conn).await?;
    let unexpected = edges.into_iter().filter(|(member, role)| !is_its_platform_role(member, role));
    let finding = |(member, role): (String, String)| {
        let why = format!("it is a member of {role}, and can do what that role can");
        let mend = format!("revoke {} from {}", ident(&role), ident(&member));
        Finding::new(Kind::Membership, member, why, mend)
    };
    Ok(unexpected.map(finding).collect())
}

/// The one membership that there has to be: to step into, not to inherit, and not to hand on.
async fn platform_memberships(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    // `inherit_option` and `set_option` exist since PostgreSQL 16; before, the role's own INHERIT decides.
    let sql = "
        select
            count(*),
            coalesce(bool_or(admin_option), false),
            coalesce(bool_or((to_jsonb(m) ->> 'inherit_option')::bool), false),
            coalesce(bool_or(coalesce((to_jsonb(m) ->> 'set_option')::bool, true)), false)
        from pg_auth_members m
        where m.member = to_regrole($1) and m.roleid = to_regrole($2)";
    let mut all = Vec::new();
    for it in Principal::ALL.into_iter().filter(|it| it.platform) {
        let (login, platform) = (it.service.role(), it.role());
        let (count, admin, inherits, can_set): (i64, bool, bool, bool) =
            sqlx::query_as(sql).bind(login).bind(platform).fetch_one(&mut *look.conn).await?;
        let mut find = |why: String, mend: String| {
            all.push(Finding::new(Kind::Membership, login, why, mend));
        };
        if count == 0 || !can_set {
            let with = if count == 0 { "" } else { " with set true" };
            find(
                format!("it can't step into {platform}"),
                format!("grant {platform} to {login}{with}"),
            );
        }
        if admin {
            let mend = format!("revoke admin option for {platform} from {login}");
            find(format!("it can make others members of {platform}"), mend);
        }
        if inherits {
            let mend = format!("grant {platform} to {login} with inherit false");
            find(
                format!("it inherits {platform}, so that every statement crosses organizations"),
                mend,
            );
        }
    }
    Ok(all)
}

/// The organization, the user and the role are set by each transaction for itself, by nothing else.
async fn settings(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select r.rolname::text, d.datname::text, split_part(setting, '=', 1)
        from pg_db_role_setting s
        cross join unnest(s.setconfig) setting
        left join pg_roles r on r.oid = s.setrole
        left join pg_database d on d.oid = s.setdatabase
        where (s.setrole = 0 or r.rolname = any ($1))
            and (s.setdatabase = 0 or d.datname = current_database())
            and (setting like 'app.%' or split_part(setting, '=', 1) in ('role', 'session_authorization', 'session_replication_role'))";
    let rows: Vec<(Option<String>, Option<String>, String)> =
        sqlx::query_as(sql).bind(look.restricted()).fetch_all(&mut *look.conn).await?;
    let finding = |(role, database, name): (Option<String>, Option<String>, String)| {
        let role = role.as_deref().map(ident);
        let database = database.as_deref().map(ident);
        let mend = match (&role, &database) {
            (Some(role), Some(database)) => {
                format!("alter role {role} in database {database} reset {name}")
            }
            (Some(role), None) => format!("alter role {role} reset {name}"),
            (None, Some(database)) => format!("alter database {database} reset {name}"),
            (None, None) => format!("alter role all reset {name}"),
        };
        let object = role.or(database).unwrap_or("all".into());
        Finding::new(
            Kind::RoleSetting,
            object,
            format!("{name} is set outside of a transaction"),
            mend,
        )
    };
    Ok(rows.into_iter().map(finding).collect())
}

async fn parameters(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select p.parname, coalesce(r.rolname::text, 'public'), string_agg(lower(a.privilege_type), ', ' order by 1)
        from pg_parameter_acl p
        cross join aclexplode(p.paracl) a
        left join pg_roles r on r.oid = a.grantee
        where a.grantee = 0 or r.rolname = any ($1)
        group by 1, 2
        order by 1, 2";
    let rows: Vec<(String, String, String)> =
        sqlx::query_as(sql).bind(look.restricted()).fetch_all(&mut *look.conn).await?;
    let finding = |(name, role, verbs): (String, String, String)| {
        let why = format!("{role} may {verbs} it, which only a superuser should");
        let mend = format!("revoke {verbs} on parameter {name} from {}", ident(&role));
        Finding::new(Kind::ParameterPrivilege, name, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
