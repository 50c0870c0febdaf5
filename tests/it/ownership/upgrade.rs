//! A database of an older version, with rows in it, becomes one of this version.

use freehold_tests::database::TestDatabase;
use shared_db::{migrate, verify};
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};
use std::path::Path;

/// The last version whose executions were in one table each.
const IN_ONE_TABLE: i64 = 5;
/// The last version that did not ask what an item of a workspace leads to.
const ITEMS_NOT_ASKED: i64 = 19;

async fn run(conn: &mut PgConnection, sql: &str) {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    result.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A database of an older version, and its superuser.
async fn of_version(version: i64) -> (TestDatabase, PgConnection) {
    let database = TestDatabase::empty().await;
    let mut conn = PgConnection::connect(&database.superuser_url()).await.unwrap();
    let grant = format!("grant create on database {} to freehold_owner", database.name);
    run(&mut conn, &grant).await;
    migrate_to(&mut conn, version).await;
    (database, conn)
}

/// As the owner made it then, with row-level security that holds for the owner too.
async fn migrate_to(conn: &mut PgConnection, version: i64) {
    let bookkeeping = "
        set role freehold_owner;
        create schema freehold;
        create table freehold.schema_migrations (
            version bigint primary key, name text not null, checksum bytea not null, applied_at timestamptz not null default now()
        );
        create table freehold.generated (name text primary key, checksum bytea not null, applied_at timestamptz not null default now())";
    run(conn, bookkeeping).await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared-db/migrations");
    let migrations = Migrator::new(Path::new(path)).await.unwrap();
    for it in migrations.iter().filter(|it| it.version <= version) {
        sqlx::raw_sql(it.sql.clone()).execute(&mut *conn).await.unwrap();
        let sql =
            "insert into freehold.schema_migrations (version, name, checksum) values ($1, $2, $3)";
        let name = format!("{:04}_{}", it.version, it.description.replace(' ', "_"));
        sqlx::query(sql)
            .bind(it.version)
            .bind(name)
            .bind(it.checksum.as_ref())
            .execute(&mut *conn)
            .await
            .unwrap();
    }
    let force = "
        do $$
        declare it regclass;
        begin
            for it in select oid from pg_class where relkind = 'r' and relnamespace = 'runtime'::regnamespace loop
                execute format('alter table %s enable row level security, force row level security', it);
            end loop;
        end
        $$;
        reset role";
    run(conn, force).await;
}

#[tokio::test]
async fn an_upgrade_keeps_executions_and_their_history() {
    let (_database, mut conn) = of_version(IN_ONE_TABLE).await;
    // Ids of ten days ago.
    let rows = "
        create temporary table ids as
        select (lpad(to_hex((extract(epoch from now() - interval '10 days') * 1000)::bigint), 12, '0') || '70008000' || lpad(i::text, 12, '0'))::uuid as id
        from generate_series(1, 5) as i;
        insert into runtime.agent_executions
            (org_id, id, agent_org_id, agent_id, agent_revision, state, queue_limit_ms, attempt_limit_ms, total_limit_ms)
        select (select min(id::text)::uuid from ids), id, id, id, 1, 'queued', 1, 1, 1 from ids;
        insert into runtime.execution_queue (org_id, execution_id, available_at, queue_deadline, total_deadline)
        select org_id, id, now(), now(), now() from runtime.agent_executions;
        insert into runtime.execution_events (org_id, execution_id, seq, event_type)
        select org_id, id, 1, 'execution_queued' from runtime.agent_executions";
    run(&mut conn, rows).await;
    let report = migrate::run(&mut conn, &migrate::Options::default()).await.unwrap();
    assert_eq!(report.partitions.len(), 7, "{report:?}");
    for from in [
        "runtime.agent_executions",
        "runtime.execution_queue",
        "runtime.execution_events where tableoid <> 'runtime.execution_events_default'::regclass",
    ] {
        let sql = AssertSqlSafe(format!("select count(*) from {from}"));
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        assert_eq!(count, 5, "{from}");
    }
    assert_eq!(verify::run(&mut conn).await.unwrap(), []);
}

#[tokio::test]
async fn items_that_nobody_was_asked_about_do_not_stop_an_upgrade() {
    let (_database, mut conn) = of_version(ITEMS_NOT_ASKED).await;
    let add = "
        set session_replication_role = replica;
        insert into web.workspace_items (org_id, id, kind, title) values (gen_random_uuid(), gen_random_uuid(), 'link', 'To nowhere')";
    run(&mut conn, add).await;
    migrate::run(&mut conn, &migrate::Options::default()).await.unwrap();
    let sql = "select count(*) from web.workspace_items";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 1);
    let again = sqlx::raw_sql(add).execute(&mut conn).await.unwrap_err().to_string();
    assert!(again.contains("workspace_items_kind_"), "{again}");
}
