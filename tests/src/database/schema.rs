//! The template's schema: made the way an operator makes it.

use shared_db::{
    migrate, quote,
    roles::{Passwords, scram},
};
use sqlx::{AssertSqlSafe, PgConnection};

const LOGINS: [&str; 4] = ["freehold_owner", "web_app", "agent_runtime", "freehold_maintenance"];

pub(super) async fn apply(connection: &mut PgConnection) -> anyhow::Result<()> {
    let [owner, web_app, agent_runtime, maintenance] =
        LOGINS.map(|role| Some(super::cluster::password(role).into()));
    let passwords = Passwords { owner, web_app, agent_runtime, maintenance };
    migrate::run(&mut *connection, &migrate::Options { passwords, repair: false }).await?;
    hash_once(connection).await
}

/// Whoever connects hashes its password as often as the role's verifier says: four thousand times, in builds without optimization, is
/// a tenth of a second of a core for each of thousands of connections. These passwords protect nothing.
async fn hash_once(connection: &mut PgConnection) -> anyhow::Result<()> {
    let sql = "select rolname from pg_authid where rolname = any($1) and rolpassword not like 'SCRAM-SHA-256$1:%'";
    let roles: Vec<String> =
        sqlx::query_scalar(sql).bind(LOGINS).fetch_all(&mut *connection).await?;
    for role in roles {
        let verifier = scram::verifier(&super::cluster::password(&role), 1)?;
        let (role, verifier) = (quote::ident(&role), quote::literal(&verifier));
        let sql = format!("alter role {role} password {verifier}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}
