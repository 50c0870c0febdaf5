//! The roles of the cluster: made and kept as they have to be, before anything else is migrated.
//!
//! Roles belong to the cluster and not to one database. Several databases may be migrated at once (tests do), so the shared
//! catalog itself is the lock, and it is taken only when something differs.

pub mod scram;

use crate::{contract::Contract, quote, scope::Service};
use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// Passwords to set; a role without one keeps what it has.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    pub owner: Option<SecretString>,
    pub web_app: Option<SecretString>,
    pub agent_runtime: Option<SecretString>,
    pub maintenance: Option<SecretString>,
}

/// A role as it has to be. What is not named here is off for all: superuser, createrole, createdb, replication, bypassrls, inherit.
struct Wanted<'a> {
    name: &'a str,
    login: bool,
    password: Option<&'a SecretString>,
}

/// Attributes in the order in which they are read, with the words that switch them.
const ATTRIBUTES: [(&str, &str, &str); 7] = [
    ("rolcanlogin", "login", "nologin"),
    ("rolinherit", "inherit", "noinherit"),
    ("rolsuper", "superuser", "nosuperuser"),
    ("rolcreaterole", "createrole", "nocreaterole"),
    ("rolcreatedb", "createdb", "nocreatedb"),
    ("rolreplication", "replication", "noreplication"),
    ("rolbypassrls", "bypassrls", "nobypassrls"),
];

/// Makes the roles what they have to be. Only a superuser can; anybody else finds them in order or is told what is missing.
pub async fn converge(
    conn: &mut PgConnection,
    contract: &Contract,
    passwords: &Passwords,
) -> Result<bool> {
    let wanted = wanted(contract, passwords);
    let superuser = is_superuser(conn).await?;
    let differences = differences(conn, contract, &wanted, superuser).await?;
    if differences.is_empty() {
        return Ok(false);
    }
    if !superuser {
        bail!(
            "the roles are not as they have to be; connect as a superuser once, or run as one: {}",
            differences.join("; ")
        );
    }
    let mut tx = conn.begin().await?;
    // Cluster-wide, which an advisory lock is not.
    sqlx::query("lock table pg_catalog.pg_authid in share row exclusive mode")
        .execute(&mut *tx)
        .await?;
    for statement in self::differences(&mut tx, contract, &wanted, superuser).await? {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *tx).await.context("roles")?;
    }
    tx.commit().await?;
    Ok(true)
}

pub async fn is_superuser(conn: &mut PgConnection) -> Result<bool> {
    let sql = "select rolsuper from pg_catalog.pg_roles where rolname = current_user";
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

fn wanted<'a>(contract: &'a Contract, passwords: &'a Passwords) -> [Wanted<'a>; 6] {
    let platform = |it: Service| Wanted { name: it.platform_role(), login: false, password: None };
    let service = |it: Service, password| Wanted { name: it.role(), login: true, password };
    [
        Wanted { name: &contract.owner, login: true, password: passwords.owner.as_ref() },
        service(Service::Web, passwords.web_app.as_ref()),
        platform(Service::Web),
        service(Service::Runtime, passwords.agent_runtime.as_ref()),
        platform(Service::Runtime),
        Wanted {
            name: &contract.maintenance,
            login: true,
            password: passwords.maintenance.as_ref(),
        },
    ]
}

/// The memberships that there have to be: (role, member). The owner has them to write seeds, since row-level security is forced
/// on it too.
fn memberships(contract: &Contract) -> [(&str, &str); 4] {
    let [web, runtime] = [Service::Web, Service::Runtime];
    [
        (web.platform_role(), web.role()),
        (runtime.platform_role(), runtime.role()),
        (web.platform_role(), &contract.owner),
        (runtime.platform_role(), &contract.owner),
    ]
}

/// The statements that are still to be run.
async fn differences(
    conn: &mut PgConnection,
    contract: &Contract,
    wanted: &[Wanted<'_>],
    superuser: bool,
) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for role in wanted {
        statements.extend(attributes(conn, role).await?);
        // Only a superuser can read verifiers, and set them.
        if let (Some(password), true) = (role.password, superuser) {
            statements.extend(new_password(conn, role.name, password).await?);
        }
    }
    for (role, member) in memberships(contract) {
        let sql = "
            select exists (
                select 1
                from pg_catalog.pg_auth_members m
                join pg_catalog.pg_roles r on r.oid = m.roleid
                join pg_catalog.pg_roles u on u.oid = m.member
                where r.rolname = $1 and u.rolname = $2
            )";
        let there: bool =
            sqlx::query_scalar(sql).bind(role).bind(member).fetch_one(&mut *conn).await?;
        if !there {
            statements.push(format!("grant {} to {}", quote::ident(role), quote::ident(member)));
        }
    }
    Ok(statements)
}

async fn attributes(conn: &mut PgConnection, role: &Wanted<'_>) -> Result<Option<String>> {
    let name = quote::ident(role.name);
    let sql = "
        select rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
        from pg_catalog.pg_roles
        where rolname = $1";
    let Some(row) = sqlx::query(sql).bind(role.name).fetch_optional(&mut *conn).await? else {
        let login = if role.login { "login" } else { "nologin" };
        return Ok(Some(format!("create role {name} {login} noinherit")));
    };
    let mut words = Vec::new();
    for (column, on, off) in ATTRIBUTES {
        let should = column == "rolcanlogin" && role.login;
        if row.try_get::<bool, _>(column)? != should {
            words.push(if should { on } else { off });
        }
    }
    Ok((!words.is_empty()).then(|| format!("alter role {name} {}", words.join(" "))))
}

async fn new_password(
    conn: &mut PgConnection,
    role: &str,
    password: &SecretString,
) -> Result<Option<String>> {
    let sql = "select rolpassword from pg_catalog.pg_authid where rolname = $1";
    let stored: Option<Option<String>> =
        sqlx::query_scalar(sql).bind(role).fetch_optional(conn).await?;
    let password = password.expose_secret();
    if stored.flatten().is_some_and(|it| scram::matches(&it, password)) {
        return Ok(None);
    }
    let verifier = scram::verifier(password, scram::ITERATIONS)
        .with_context(|| format!("the password of {role} can't be used"))?;
    let (role, verifier) = (quote::ident(role), quote::literal(&verifier));
    Ok(Some(format!("alter role {role} password {verifier}")))
}
