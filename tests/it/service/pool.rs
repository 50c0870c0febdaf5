//! The pool of a service, as its configuration opens it.

use freehold_tests::{database::TestDatabase, proxy::Proxy, wire::Meter};
use shared_db::{
    ids::OrganizationId,
    pool::{Pool, PoolLimits},
    scope::{Db, Scope, Service},
    service::{config::DatabaseConfig, pool},
};
use sqlx::{PgPool, Row};
use std::{
    collections::HashSet,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

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
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&meter.url(&database.web_url()), limits);
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

/// Whoever waits for a connection ends the transaction before with the message that begins theirs.
#[tokio::test]
async fn under_load_the_database_is_asked_twice_a_read() {
    let database = TestDatabase::create().await;
    let meter = Meter::before(&database.web_url()).await.unwrap();
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&meter.url(&database.web_url()), limits);
    let sql = "select nullif(current_setting('app.current_org_id', true), '')::uuid, current_user::text, pg_current_xact_id()::text";
    let read = async |scope| {
        let mut tx = db.begin(scope).await.unwrap();
        let seen: (Option<Uuid>, String, String) =
            sqlx::query_as(sql).fetch_one(&mut *tx).await.unwrap();
        (scope, seen)
    };
    read(tenant()).await;
    let before = meter.read();
    let all = (0..20).map(|at| read(if at % 5 == 4 { Scope::Platform } else { tenant() }));
    let all = futures_util::future::join_all(all).await;
    // The first one's ROLLBACK was for the read before, and nobody waits for the last.
    let asked = (meter.read() - before).round_trips;
    assert!((40..=42).contains(&asked), "{asked}, where each begins and reads");
    let mut transactions = HashSet::new();
    for (scope, (org, role, transaction)) in all {
        match scope {
            Scope::Tenant(it, _) => assert_eq!((org, role.as_str()), (Some(it.0), "web_app")),
            Scope::Platform => assert_eq!(role, "web_app_platform"),
        }
        assert!(transactions.insert(transaction), "each has its own");
    }
}

/// A transaction that failed is ended as well as one that did not.
#[tokio::test]
async fn who_waits_is_not_hit_by_the_failure_before() {
    let database = TestDatabase::create().await;
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&database.web_url(), limits);
    let fails = async || {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query("select 1 / 0").execute(&mut *tx).await.unwrap_err();
    };
    let reads = async || {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
    };
    for _ in 0..10 {
        tokio::join!(fails(), reads(), reads(), fails(), reads());
    }
}

/// Whoever commits begins for the one who waits, with the same message.
#[tokio::test]
async fn under_load_the_database_is_asked_twice_a_write() {
    let database = TestDatabase::create().await;
    let meter = Meter::before(&database.web_url()).await.unwrap();
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&meter.url(&database.web_url()), limits);
    let sql = "select nullif(current_setting('app.current_org_id', true), '')::uuid, current_user::text, pg_current_xact_id()::text";
    let write = async |scope| {
        let mut tx = db.begin(scope).await.unwrap();
        let seen: (Option<Uuid>, String, String) =
            sqlx::query_as(sql).fetch_one(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        (scope, seen)
    };
    write(tenant()).await;
    let before = meter.read();
    let all = (0..20).map(|at| write(if at % 5 == 4 { Scope::Platform } else { tenant() }));
    let all = futures_util::future::join_all(all).await;
    // The first one's BEGIN and the last one's COMMIT are messages of their own.
    let asked = (meter.read() - before).round_trips;
    assert!((41..=42).contains(&asked), "{asked}, where each writes and commits");
    let mut transactions = HashSet::new();
    for (scope, (org, role, transaction)) in all {
        match scope {
            Scope::Tenant(it, _) => assert_eq!((org, role.as_str()), (Some(it.0), "web_app")),
            Scope::Platform => assert_eq!(role, "web_app_platform"),
        }
        assert_eq!(outcome(&database.superuser(), &transaction).await, "committed");
        assert!(transactions.insert(transaction), "each has its own");
    }
    assert_eq!((db.pool().size(), db.pool().idle()), (1, 1));
}

async fn outcome(root: &PgPool, transaction: &str) -> String {
    let sql = "select pg_xact_status($1::xid8)";
    sqlx::query_scalar(sql).bind(transaction).fetch_one(root).await.unwrap()
}

#[tokio::test]
async fn who_waits_is_not_hit_by_a_commit_that_fails() {
    let database = TestDatabase::create().await;
    let root = database.superuser();
    let table = "create table web.late (n integer unique deferrable initially deferred);
                 grant select, insert on web.late to web_app";
    sqlx::raw_sql(table).execute(&root).await.unwrap();
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&database.web_url(), limits);
    let insert = async |n: i32, again: bool| {
        let mut tx = db.begin(tenant()).await.unwrap();
        for _ in 0..=i32::from(again) {
            sqlx::query("insert into web.late values ($1)")
                .bind(n)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        tx.commit().await
    };
    for n in 0..10 {
        let n = n * 10;
        let (one, two, three, four) = tokio::join!(
            insert(n, true),
            insert(n + 1, false),
            insert(n + 2, true),
            insert(n + 3, false)
        );
        one.expect_err("it is there twice");
        two.unwrap();
        three.expect_err("it is there twice");
        four.unwrap();
    }
    let sql = "select array_agg(n order by n) from web.late";
    let there: Vec<i32> = sqlx::query_scalar(sql).fetch_one(&root).await.unwrap();
    let expected: Vec<_> = (0..10).flat_map(|it| [it * 10 + 1, it * 10 + 3]).collect();
    assert_eq!(there, expected);
}

/// What was committed is committed, whatever becomes of the BEGIN behind it.
#[tokio::test]
async fn a_commit_is_not_hit_by_who_can_not_begin() {
    let database = TestDatabase::create().await;
    let root = database.superuser();
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let pool = Pool::new(database.web_url().parse().unwrap(), limits);
    let db = Db::new(pool.clone(), Service::Web);
    // Its platform is one that web's login may not be.
    let stranger = Db::new(pool, Service::Runtime);
    let write = async || {
        let mut tx = db.begin(tenant()).await.unwrap();
        let sql = "select pg_current_xact_id()::text";
        let transaction: String = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(outcome(&root, &transaction).await, "committed");
    };
    for _ in 0..10 {
        let (.., refused) = tokio::join!(write(), stranger.begin(Scope::Platform));
        refused.expect_err("it may not be that platform");
        let (.., refused, ()) = tokio::join!(write(), stranger.begin(Scope::Platform), write());
        refused.expect_err("it may not be that platform");
    }
}

/// Either of the two may go away while the message is under way.
#[tokio::test]
async fn a_commit_that_begins_for_another_bears_that_either_leaves() {
    let database = TestDatabase::create().await;
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let (db, root) = (limited(&database.web_url(), limits), database.superuser());
    let mut under_way = 0;
    for at in 0..40 {
        let mut tx = db.begin(tenant()).await.unwrap();
        let sql = "select pg_current_xact_id()::text";
        let transaction: String = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap();
        let mut waits = Box::pin(db.begin(tenant()));
        assert!(futures_util::poll!(&mut waits).is_pending(), "there is one connection");
        let mut commits = Box::pin(tx.commit());
        match futures_util::poll!(&mut commits) {
            // The answer was there before it was asked for.
            Poll::Ready(committed) => {
                committed.unwrap();
                drop(waits);
            }
            Poll::Pending if at % 2 == 0 => {
                under_way += 1;
                drop(waits);
                commits.await.unwrap();
            }
            Poll::Pending => {
                under_way += 1;
                drop(commits);
                let mut tx = waits.await.unwrap();
                let other: String = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap();
                assert_ne!(other, transaction);
            }
        }
        assert_eq!(outcome(&root, &transaction).await, "committed");
        until("it is over", async || in_state(&root, "idle").await == 1).await;
    }
    assert!(0 < under_way, "every commit was over before anybody could leave");
}

/// Connections that go from hand to hand come back for those who can not be begun for.
#[tokio::test]
async fn who_begins_no_transaction_is_served_although_others_always_wait() {
    let database = TestDatabase::create().await;
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&database.web_url(), limits);
    let one_writer = async || -> ! {
        loop {
            let mut tx = db.begin(tenant()).await.unwrap();
            sqlx::query("select pg_current_xact_id()").execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    let hints = async {
        for _ in 0..20 {
            let acquired = timeout(Duration::from_secs(1), db.pool().acquire()).await;
            let mut connection = acquired.expect("it has its turn").unwrap();
            sqlx::query("select 1").execute(&mut *connection).await.unwrap();
        }
    };
    let writers = futures_util::future::join_all((0..4).map(|_| one_writer()));
    tokio::select! {
        () = hints => {}
        _ = writers => unreachable!("they write for ever"),
    }
}

/// Hints are sent so: they would be lost with the transaction of another.
#[tokio::test]
async fn who_begins_no_transaction_is_not_in_that_of_another() {
    let database = TestDatabase::create().await;
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let db = limited(&database.web_url(), limits);
    let statement = async || {
        let mut connection = db.pool().acquire().await.unwrap();
        let sql = "select nullif(current_setting('app.current_org_id', true), '')";
        let org: Option<String> =
            sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap();
        assert_eq!(org, None);
    };
    let transaction = async |sql| {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query(sql).execute(&mut *tx).await.is_ok()
    };
    for sql in ["select 1", "select 1 / 0"] {
        for _ in 0..10 {
            let (.., again) =
                tokio::join!(transaction(sql), statement(), statement(), transaction("select 1"));
            assert!(again);
        }
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

/// What is left to the next user is sent all the same when that one has gone away.
#[tokio::test]
async fn a_transaction_is_over_also_when_whoever_waited_for_its_connection_has_left() {
    let database = TestDatabase::create().await;
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    let (db, root) = (limited(&database.web_url(), limits), database.superuser());
    for _ in 0..20 {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
        let mut waits = Box::pin(db.begin(tenant()));
        assert!(futures_util::poll!(&mut waits).is_pending(), "there is one connection");
        drop(tx);
        drop(waits);
        until("it is over", async || in_state(&root, "idle").await == 1).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_what_another_has_left_unfinished() {
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
