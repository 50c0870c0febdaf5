//! Migrating: all of it or nothing, and a second time nothing.

use freehold_tests::database::TestDatabase;
use shared_db::{
    contract::Contract,
    migrate::{self, Options, Report},
    verify,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

async fn superuser(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.superuser_url()).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

async fn schemas(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_namespace where nspname in ('web', 'runtime', 'freehold')",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_empty_database_is_migrated_and_a_second_time_nothing_happens() {
    let database = TestDatabase::empty().await;
    let mut conn = superuser(&database).await;
    let first = migrate::run(&mut conn, &Options::default()).await.unwrap();
    assert_eq!(first.applied.len(), usize::try_from(migrate::version()).unwrap());
    assert!(first.boundary);
    assert!(!first.partitions.is_empty());
    let again = Report {
        applied: Vec::new(),
        boundary: false,
        roles: false,
        partitions: Vec::new(),
        version: migrate::version(),
    };
    assert_eq!(migrate::run(&mut conn, &Options::default()).await.unwrap(), again);
    assert_eq!(verify::run(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn the_owner_migrates_without_being_a_superuser() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let options = Options { repair: true, ..Options::default() };
    assert!(migrate::run(&mut conn, &options).await.unwrap().boundary);
    assert_eq!(verify::run(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn a_service_can_t_migrate() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.web_url()).await.unwrap();
    let error = migrate::run(&mut conn, &Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("connect as freehold_owner or as a superuser"), "{error:#}");
}

#[tokio::test]
async fn repair_takes_back_what_somebody_did_by_hand() {
    let database = TestDatabase::create().await;
    let mut conn = superuser(&database).await;
    run(
        &mut conn,
        "grant all on runtime.agents to web_app; create policy open on web.users using (true)",
    )
    .await;
    run(&mut conn, "alter table web.users no force row level security").await;
    assert!(!verify::run(&mut conn).await.unwrap().is_empty());
    assert!(!migrate::run(&mut conn, &Options::default()).await.unwrap().boundary);
    let options = Options { repair: true, ..Options::default() };
    assert!(migrate::run(&mut conn, &options).await.unwrap().boundary);
    assert_eq!(verify::run(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn a_table_that_nobody_declared_stops_the_migration_and_nothing_is_applied() {
    let database = TestDatabase::empty().await;
    let mut conn = superuser(&database).await;
    run(&mut conn, "create table public.stray (id uuid)").await;
    let error = migrate::run(&mut conn, &Options::default()).await.unwrap_err();
    let expected = "table public.stray is not in ownership.toml";
    assert!(error.to_string().contains(expected), "{error:#}");
    assert_eq!(schemas(&mut conn).await, 0);
    run(&mut conn, "drop table public.stray").await;
    migrate::run(&mut conn, &Options::default()).await.unwrap();
}

#[tokio::test]
async fn a_declared_table_that_is_not_there_stops_the_migration_and_nothing_is_applied() {
    let source = include_str!("../../../shared-db/ownership.toml")
        .replace("[runtime.tables]", "[runtime.tables]\nghosts = { scope = \"tenant\" }");
    let contract = Contract::parse(&source).unwrap();
    let database = TestDatabase::empty().await;
    let mut conn = superuser(&database).await;
    let error = migrate::run_with(&mut conn, &Options::default(), &contract).await.unwrap_err();
    let expected = "ownership.toml names runtime.ghosts, which does not exist";
    assert!(error.to_string().contains(expected), "{error:#}");
    assert_eq!(schemas(&mut conn).await, 0);
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let database = TestDatabase::create().await;
    let mut conn = superuser(&database).await;
    run(&mut conn, "update freehold.schema_migrations set checksum = 'x' where version = 2").await;
    let error = migrate::run(&mut conn, &Options::default()).await.unwrap_err();
    assert!(
        error.to_string().contains("0002_web_identity was changed after it was applied"),
        "{error:#}"
    );
}

#[tokio::test]
async fn a_schema_from_the_future_is_refused() {
    let database = TestDatabase::create().await;
    let mut conn = superuser(&database).await;
    let later = "insert into freehold.schema_migrations (version, name, checksum) values (9999, '9999_later', '')";
    run(&mut conn, later).await;
    let error = migrate::run(&mut conn, &Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("the database is at 9999_later"), "{error:#}");
}

#[tokio::test]
async fn two_migrators_do_not_race() {
    let database = TestDatabase::empty().await;
    let (mut a, mut b) = (superuser(&database).await, superuser(&database).await);
    let options = Options::default();
    let (a, b) = tokio::join!(migrate::run(&mut a, &options), migrate::run(&mut b, &options));
    let mut applied = [a.unwrap().applied.len(), b.unwrap().applied.len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, usize::try_from(migrate::version()).unwrap()]);
}

#[tokio::test]
async fn verify_does_not_look_at_a_database_that_is_not_migrated() {
    let database = TestDatabase::empty().await;
    let error = verify::run(&mut superuser(&database).await).await.unwrap_err();
    assert!(error.to_string().contains("not migrated yet"), "{error:#}");
}

#[tokio::test]
async fn updated_at_is_kept_by_the_database() {
    let database = TestDatabase::create().await;
    let mut conn = superuser(&database).await;
    run(
        &mut conn,
        "insert into web.app_platforms (id, slug, name, updated_at)
         values (gen_random_uuid(), 'a', 'A', '2000-01-01');
         update web.app_platforms set name = 'B', updated_at = '2000-01-01'",
    )
    .await;
    let recent: bool = sqlx::query_scalar(
        "select updated_at > now() - interval '1 minute' from web.app_platforms",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert!(recent);
}
