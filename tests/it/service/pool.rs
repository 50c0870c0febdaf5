//! The pool of a service, as its configuration opens it.

mod handover;

use freehold_tests::{database::TestDatabase, proxy::Proxy, wire::Meter};
use shared_db::{
    ids::OrganizationId,
    pool::{Pool, PoolLimits},
    scope::{Db, Scope, Service},
    service::{config::DatabaseConfig, pool},
};
use sqlx::{PgPool, Row};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

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
    while db.pool().idle() < 4 {
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

fn limited(url: &str, limits: PoolLimits) -> Db {
    Db::new(Pool::new(url.parse().unwrap(), limits), Service::Web)
}

/// With one connection, so that it goes from one user to the next.
fn single(url: &str) -> Db {
    limited(url, PoolLimits { connections_max: 1, ..PoolLimits::default() })
}

/// Waits until it is so.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// How many connections of web-service are in this state.
async fn in_state(root: &PgPool, state: &str) -> i64 {
    let sql = "select count(*) from pg_stat_activity
               where datname = current_database() and usename = 'web_app' and state = $1";
    sqlx::query_scalar(sql).bind(state).fetch_one(root).await.unwrap()
}

#[tokio::test]
async fn the_database_is_asked_three_times_a_transaction() {
    let database = TestDatabase::create().await;
    let meter = Meter::before(&database.web_url()).await.unwrap();
    let db = single(&meter.url(&database.web_url()));
    let one = async |commits: bool| {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
        }
    };
    one(false).await;
    one(true).await;
    for commits in [false, true] {
        let before = meter.read();
        for _ in 0..10 {
            one(commits).await;
        }
        // The last one's ROLLBACK may not be counted yet: nobody waits for it.
        let asked = (meter.read() - before).round_trips;
        assert!((29..=31).contains(&asked), "{asked}, where each begins, reads and ends");
    }
}

#[tokio::test]
async fn a_transaction_that_is_dropped_is_over_although_nobody_uses_its_connection() {
    let database = TestDatabase::create().await;
    let (db, root) = (database.db(Service::Web), database.superuser());
    let mut tx = db.begin(tenant()).await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)").execute(&mut *tx).await.unwrap();
    assert_eq!(in_state(&root, "idle in transaction").await, 1);
    drop(tx);
    assert_eq!((db.pool().size(), db.pool().idle()), (1, 1), "it is back at once");
    until("the transaction is over", async || in_state(&root, "idle").await == 1).await;
    let sql = "select pg_try_advisory_xact_lock(7)";
    let free: bool = sqlx::query_scalar(sql).fetch_one(&root).await.unwrap();
    assert!(free, "its locks are gone");
}

#[tokio::test]
async fn what_another_has_left_unfinished_is_gone_round_within_a_second() {
    let database = TestDatabase::create().await;
    let (db, root) = (database.db(Service::Web), database.superuser());
    let mut left = db.begin(tenant()).await.unwrap();
    let slow = sqlx::query("select pg_sleep(2)").execute(&mut *left);
    assert!(timeout(Duration::from_millis(100), slow).await.is_err(), "it is under way");
    drop(left);
    let begun = Instant::now();
    for _ in 0..3 {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "another connection did it");
    assert_eq!((db.pool().size(), db.pool().idle()), (2, 1));
    until("it is back", async || db.pool().idle() == 2).await;
    until("its transaction is over", async || in_state(&root, "idle").await == 2).await;
}

#[tokio::test]
async fn a_connection_without_answers_is_given_up() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let limits = PoolLimits {
        connections_max: 1,
        acquire_timeout: Duration::from_secs(10),
        settle_timeout: Duration::from_millis(200),
        ..PoolLimits::default()
    };
    let db = limited(&proxy.url(&database.web_url()), limits);
    let mut tx = db.begin(tenant()).await.unwrap();
    proxy.silence();
    let lost = sqlx::query("select 1").execute(&mut *tx);
    assert!(timeout(Duration::from_millis(100), lost).await.is_err(), "nobody answers");
    drop(tx);
    until("it is given up", async || db.pool().size() == 0).await;
    proxy.mend();
    let mut tx = db.begin(tenant()).await.expect("there is room for another");
    sqlx::query("select 1").execute(&mut *tx).await.unwrap();
}

#[tokio::test]
async fn connections_that_are_kept_are_there_before_they_are_needed() {
    let database = TestDatabase::create().await;
    let limits = PoolLimits { connections_max: 4, connections_min: 3, ..PoolLimits::default() };
    let db = limited(&database.web_url(), limits);
    until("they are open", async || db.pool().idle() == 3).await;
    let all = [0; 4].map(|_| db.begin(tenant()));
    let all = futures_util::future::try_join_all(all).await.unwrap();
    assert_eq!((db.pool().size(), db.pool().idle()), (4, 0));
    drop(all);
    db.pool().close().await;
    assert_eq!(db.pool().size(), 0);
    assert!(db.begin(tenant()).await.is_err(), "a pool that is closed gives none");
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
