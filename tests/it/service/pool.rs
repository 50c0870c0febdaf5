//! The pool of a service, as its configuration opens it.

use freehold_tests::database::TestDatabase;
use shared_db::{
    ids::OrganizationId,
    scope::{Db, Scope, Service},
    service::{config::DatabaseConfig, pool},
};
use sqlx::Row;

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    database: DatabaseConfig,
}

fn connect(database: &TestDatabase, settings: &[&str]) -> Db {
    let url = database.web_url();
    let fixed = ["pool", "--database-url", &url, "--database-connections-min", "0"];
    let arguments: Arguments = clap::Parser::parse_from(fixed.iter().chain(settings));
    pool::connect(&arguments.database, Service::Web).unwrap()
}

fn tenant() -> Scope {
    Scope::Tenant(OrganizationId::generate(), None)
}

#[tokio::test]
async fn connections_that_died_while_idle_cost_no_call() {
    let database = TestDatabase::create().await;
    let db = connect(&database, &["--database-connections-max", "4"]);
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(db.begin(tenant()).await.unwrap());
    }
    drop(open);
    while db.pool().num_idle() < 4 {
        tokio::task::yield_now().await;
    }
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and usename = 'web_app'";
    let killed: i64 = sqlx::query_scalar(kill).fetch_one(&database.superuser()).await.unwrap();
    assert_eq!(killed, 4);
    for _ in 0..4 {
        let mut tx = db.begin(tenant()).await.expect("a living connection is found");
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
    }
}

#[tokio::test]
async fn no_connection_keeps_more_statements_than_its_cache_holds() {
    let database = TestDatabase::create().await;
    let db = connect(&database, &["--database-statement-cache", "2"]);
    let mut tx = db.begin(tenant()).await.unwrap();
    for sql in ["select $1::int", "select $1::int + 1", "select $1::int + 2"] {
        sqlx::query(sql).bind(7).execute(&mut *tx).await.unwrap();
    }
    let count = sqlx::raw_sql("select count(*) from pg_prepared_statements");
    let count: i64 = count.fetch_one(&mut *tx).await.unwrap().get(0);
    assert_eq!(count, 2);
}

#[tokio::test]
async fn a_url_that_is_none_is_not_repeated() {
    let secret = "nonsense with a pa55word";
    let arguments: Arguments = clap::Parser::parse_from(["pool", "--database-url", secret]);
    let error = pool::connect(&arguments.database, Service::Web).map(drop).unwrap_err();
    assert!(
        !format!("{error:#} {error:?} {arguments:?}", arguments = arguments.database)
            .contains("pa55word")
    );
}
