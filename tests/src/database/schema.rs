//! A stand-in for `shared_db::migrate` until it lands: the SQL files, and grants and policies in outline.

use sqlx::{AssertSqlSafe, PgConnection};
use std::{fs, path::Path};

pub(super) async fn apply(connection: &mut PgConnection) -> anyhow::Result<()> {
    run(connection, include_str!("schema/roles.sql")).await?;
    for role in ["freehold_owner", "web_app", "agent_runtime"] {
        let password = super::cluster::password(role);
        run(connection, &format!("alter role {role} login password '{password}'")).await?;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared-db/migrations");
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>()?;
    files.sort();
    run(connection, "set role freehold_owner; create schema if not exists freehold").await?;
    for file in files {
        run(connection, &fs::read_to_string(file)?).await?;
    }
    run(connection, include_str!("schema/grants.sql")).await
}

async fn run(connection: &mut PgConnection, sql: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(())
}
