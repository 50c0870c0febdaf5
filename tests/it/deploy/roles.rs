//! The roles that `CloudNativePG` makes are those that the migration wants: it is run as the owner on a server that has them and no others.

use super::objects::{Objects, list, overlays, text};
use freehold_tests::{database::server::Server, process};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::env;

/// How the operator makes a role, with a password that is its name.
fn statements(role: &Value) -> Vec<String> {
    let name = text(role, "/name");
    let on = |field: &str| role[field] == json!(true);
    let inherit = if role["inherit"] == json!(false) { "noinherit" } else { "inherit" };
    let mut words = vec![if on("login") { "login" } else { "nologin" }, inherit];
    words.extend(
        ["superuser", "createdb", "createrole", "bypassrls"].into_iter().filter(|it| on(it)),
    );
    let mut statements = vec![format!("create role {name} {} password '{name}'", words.join(" "))];
    for group in list(role, "/inRoles") {
        statements.push(format!("grant {} to {name}", group.as_str().unwrap()));
    }
    statements
}

/// Migrates as the owner, and verifies; what is complained of otherwise. `None` where no server can be had.
async fn migrated(objects: &Objects) -> Option<Result<(), String>> {
    let known = env::var("FREEHOLD_TEST_DATABASE_URL").unwrap();
    let server = match Server::beside(&known, &["fsync = off"]).await {
        Ok(server) => server,
        Err(error) => {
            println!("skipped: no server of one's own: {error:#}");
            return None;
        }
    };
    let mut conn = PgConnection::connect(&server.superuser_url).await.unwrap();
    let cluster = objects.get("Cluster", "postgres").unwrap();
    let database = objects.get("Database", "freehold").unwrap();
    let (name, owner) = (text(database, "/spec/name"), text(database, "/spec/owner"));
    let roles = list(cluster, "/spec/managed/roles").iter().flat_map(statements);
    for statement in roles.chain([format!("create database {name} owner {owner}")]) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await.unwrap();
    }
    let (_, at) = server.superuser_url.split_once('@').unwrap();
    let url =
        format!("postgres://{owner}:{owner}@{}", at.replace("/postgres", &format!("/{name}")));
    for command in ["migrate", "verify"] {
        let output = process::output("shared-db", &[command], &[("DATABASE_URL", &url)]).await;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            return Some(Err(format!("{command}: {}", String::from_utf8(said).unwrap())));
        }
    }
    Some(Ok(()))
}

#[tokio::test]
async fn the_operators_roles_are_those_that_the_migration_wants() {
    let Some(overlays) = overlays() else { return };
    let Some(migrated) = migrated(&overlays["production-cnpg"]).await else { return };
    assert_eq!(migrated, Ok(()));
}

#[tokio::test]
async fn a_role_that_is_another_stops_the_migration() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production-cnpg"];
    let at = "/spec/managed/roles/3/inherit";
    assert_eq!(
        text(objects.get("Cluster", "postgres").unwrap(), "/spec/managed/roles/3/name"),
        "web_app"
    );
    let planted = objects.with("Cluster", "postgres", at, json!(true));
    let Some(migrated) = migrated(&planted).await else { return };
    let complaint = migrated.unwrap_err();
    assert!(complaint.contains("the roles are not as they have to be"), "{complaint}");
}

/// In the cluster and where it boots, the same database, and passwords of the secrets that the workloads log in with.
#[test]
fn database_owner_and_passwords_are_those_of_the_workloads() {
    let Some(overlays) = overlays() else { return };
    let objects = &overlays["production-cnpg"];
    let cluster = objects.get("Cluster", "postgres").unwrap();
    let database = objects.get("Database", "freehold").unwrap();
    let boot = &cluster["spec"]["bootstrap"]["initdb"];
    assert_eq!(boot["database"], database["spec"]["name"]);
    assert_eq!(boot["owner"], database["spec"]["owner"]);
    assert_eq!(cluster["spec"]["enableSuperuserAccess"], json!(false));
    assert_eq!(database["spec"]["databaseReclaimPolicy"], "retain");
    for (role, secret) in [
        ("freehold_owner", "database-owner"),
        ("web_app", "database-web"),
        ("agent_runtime", "database-runtime"),
        ("freehold_maintenance", "database-maintenance"),
    ] {
        let roles = list(cluster, "/spec/managed/roles");
        let role = roles.iter().find(|it| text(it, "/name") == role).unwrap();
        assert_eq!(text(role, "/passwordSecret/name"), secret);
    }
    let archives =
        list(cluster, "/spec/plugins").iter().find(|it| it["isWALArchiver"] == json!(true));
    let store = text(archives.unwrap(), "/parameters/barmanObjectName");
    assert!(objects.get("ObjectStore", store).is_some(), "{store}");
    let nightly = objects.of("ScheduledBackup").next().unwrap();
    assert_eq!(nightly["spec"]["pluginConfiguration"]["name"], archives.unwrap()["name"]);
    assert_eq!(text(nightly, "/spec/schedule").split(' ').count(), 6, "it begins with seconds");
}
