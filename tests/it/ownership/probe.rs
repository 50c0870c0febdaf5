//! What a service finds out about itself.

use freehold_tests::database::{TestDatabase, db};
use shared_db::{
    probe,
    scope::{Db, Service},
};
use sqlx::{AssertSqlSafe, PgPool};

fn services(database: &TestDatabase) -> [Db; 2] {
    [database.db(Service::Web), database.db(Service::Runtime)]
}

async fn run(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

async fn sentences(db: &Db) -> Vec<String> {
    let glance = probe::glance(db).await.unwrap();
    let check = probe::check(db).await.unwrap();
    // What a look finds, a thorough look finds too.
    assert!(glance.iter().all(|it| check.contains(it)), "{glance:?} {check:?}");
    check.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_migrated_database_satisfies_both_services() {
    let database = TestDatabase::create().await;
    for db in services(&database) {
        assert_eq!(sentences(&db).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_forbidden_grant_is_found_and_its_removal_too() {
    let database = TestDatabase::create().await;
    let superuser = database.superuser();
    let [web, runtime] = services(&database);
    for (privilege, object) in [
        ("insert", "runtime.agents"),
        ("update (slug)", "runtime.agents"),
        ("delete", "runtime.execution_queue"),
        ("truncate", "runtime.execution_events"),
        ("update", "web.activities"),
        ("trigger", "runtime.agents"),
    ] {
        for role in ["web_app", "web_app_platform", "public"] {
            run(&superuser, &format!("grant {privilege} on {object} to {role}")).await;
            let found = sentences(&web).await;
            assert!(found.iter().any(|it| it.starts_with(object)), "{privilege} {role}: {found:?}");
            run(&superuser, &format!("revoke {privilege} on {object} from {role}")).await;
            assert_eq!(sentences(&web).await, [""; 0]);
        }
    }
    assert_eq!(sentences(&runtime).await, [""; 0]);
}

#[tokio::test]
async fn a_secret_that_can_be_read_is_found() {
    let database = TestDatabase::create().await;
    let superuser = database.superuser();
    let [web, runtime] = services(&database);
    run(&superuser, "grant select (key_hash) on web.api_keys to agent_runtime").await;
    let [found] = &sentences(&runtime).await[..] else { panic!("one finding") };
    assert!(
        found.starts_with("web.api_keys: agent_runtime was not denied select of key_hash"),
        "{found}"
    );
    assert_eq!(sentences(&web).await, [""; 0]);
}

#[tokio::test]
async fn row_security_that_is_off_is_found() {
    let database = TestDatabase::create().await;
    run(&database.superuser(), "alter table web.api_keys disable row level security").await;
    for db in services(&database) {
        let found = sentences(&db).await;
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("web.api_keys: row-level security does not hold"),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn another_schema_version_is_found() {
    let database = TestDatabase::create().await;
    let superuser = database.superuser();
    let ahead = "insert into freehold.schema_migrations (version, name, checksum) values (9999, '9999_later', '')";
    run(&superuser, ahead).await;
    for db in services(&database) {
        let found = sentences(&db).await;
        assert!(found[0].contains("the schema has version 9999 and this build needs"), "{found:?}");
        assert!(found[0].contains("deploy a newer build"), "{found:?}");
    }
    run(&superuser, "delete from freehold.schema_migrations").await;
    for db in services(&database) {
        assert!(sentences(&db).await[0].contains("run shared-db migrate"));
    }
}

#[tokio::test]
async fn a_database_that_was_never_migrated_is_found() {
    let database = TestDatabase::empty().await;
    for db in services(&database) {
        assert!(sentences(&db).await[0].contains("is not migrated for this role"));
    }
}

#[tokio::test]
async fn a_superuser_is_not_a_service() {
    let database = TestDatabase::create().await;
    let found = sentences(&db(&database.superuser_url(), Service::Web)).await;
    assert!(found[0].contains("web-service has to connect as web_app"), "{found:?}");
    assert!(found[1].contains("it is a superuser"), "{found:?}");
}

#[tokio::test]
async fn one_service_is_not_the_other() {
    let database = TestDatabase::create().await;
    let found = sentences(&db(&database.web_url(), Service::Runtime)).await;
    assert!(found[0].contains("runtime-service has to connect as agent_runtime"), "{found:?}");
    assert!(found[1].contains("it is a member of web_app_platform"), "{found:?}");
}

#[tokio::test]
async fn the_probe_changes_nothing_even_where_it_succeeds() {
    let database = TestDatabase::create().await;
    let superuser = database.superuser();
    let org =
        "insert into web.app_platforms (id, slug, name) values (gen_random_uuid(), 'kept', 'Kept')";
    run(&superuser, org).await;
    run(&superuser, "grant truncate, delete on web.app_platforms to agent_runtime").await;
    let [_, runtime] = services(&database);
    assert_eq!(sentences(&runtime).await.len(), 2);
    let left: i64 = sqlx::query_scalar("select count(*) from web.app_platforms")
        .fetch_one(&superuser)
        .await
        .unwrap();
    assert_eq!(left, 1);
}
