//! A connection that goes from one user to the next: what the one leaves open, and what it begins for the other.

use super::{in_state, single, tenant, until};
use freehold_tests::{database::TestDatabase, wire::Meter};
use futures_util::{future::join_all, poll};
use shared_db::{
    pool::{Pool, PoolLimits},
    scope::{Db, Scope, Service},
};
use sqlx::PgPool;
use std::{collections::HashSet, task::Poll, time::Duration};
use tokio::time::timeout;
use uuid::Uuid;

/// Twenty transactions at once, of tenants and of the platform. Returns how often the database was asked for them, and who they were.
async fn twenty(database: &TestDatabase, commits: bool) -> (u64, HashSet<String>) {
    let meter = Meter::before(&database.web_url()).await.unwrap();
    let db = single(&meter.url(&database.web_url()));
    let sql = "select nullif(current_setting('app.current_org_id', true), '')::uuid, current_user::text, pg_current_xact_id()::text";
    let one = async |scope| {
        let mut tx = db.begin(scope).await.unwrap();
        let seen: (Option<Uuid>, String, String) =
            sqlx::query_as(sql).fetch_one(&mut *tx).await.unwrap();
        if commits {
            tx.commit().await.unwrap();
        }
        (scope, seen)
    };
    one(tenant()).await;
    let before = meter.read();
    let all = (0..20).map(|at| one(if at % 5 == 4 { Scope::Platform } else { tenant() }));
    let all = join_all(all).await;
    let asked = (meter.read() - before).round_trips;
    let mut transactions = HashSet::new();
    for (scope, (org, role, transaction)) in all {
        match scope {
            Scope::Tenant(it, _) => assert_eq!((org, role.as_str()), (Some(it.0), "web_app")),
            Scope::Platform => assert_eq!(role, "web_app_platform"),
        }
        assert!(transactions.insert(transaction), "each has its own");
    }
    assert_eq!((db.pool().size(), db.pool().idle()), (1, 1));
    (asked, transactions)
}

/// Whoever waits for a connection ends the transaction before with the message that begins theirs.
#[tokio::test]
async fn under_load_the_database_is_asked_twice_a_read() {
    let database = TestDatabase::create().await;
    let (asked, _) = twenty(&database, false).await;
    // The first one's ROLLBACK was for the read before, and nobody waits for the last.
    assert!((40..=42).contains(&asked), "{asked}, where each begins and reads");
}

/// Whoever commits begins for the one who waits, with the same message.
#[tokio::test]
async fn under_load_the_database_is_asked_twice_a_write() {
    let database = TestDatabase::create().await;
    let (asked, transactions) = twenty(&database, true).await;
    // The first one's BEGIN and the last one's COMMIT are messages of their own.
    assert!((41..=42).contains(&asked), "{asked}, where each writes and commits");
    for transaction in transactions {
        assert_eq!(outcome(&database.superuser(), &transaction).await, "committed");
    }
}

/// A transaction that failed is ended as well as one that did not.
#[tokio::test]
async fn who_waits_is_not_hit_by_the_failure_before() {
    let database = TestDatabase::create().await;
    let db = single(&database.web_url());
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
    let db = single(&database.web_url());
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
    let (db, root) = (single(&database.web_url()), database.superuser());
    let mut under_way = 0;
    for at in 0..40 {
        let mut tx = db.begin(tenant()).await.unwrap();
        let sql = "select pg_current_xact_id()::text";
        let transaction: String = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap();
        let mut waits = Box::pin(db.begin(tenant()));
        assert!(poll!(&mut waits).is_pending(), "there is one connection");
        let mut commits = Box::pin(tx.commit());
        match poll!(&mut commits) {
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
    let db = single(&database.web_url());
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
    let writers = join_all((0..4).map(|_| one_writer()));
    tokio::select! {
        () = hints => {}
        _ = writers => unreachable!("they write for ever"),
    }
}

/// Hints are sent so: they would be lost with the transaction of another.
#[tokio::test]
async fn who_begins_no_transaction_is_not_in_that_of_another() {
    let database = TestDatabase::create().await;
    let db = single(&database.web_url());
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

/// What is left to the next user is sent all the same when that one has gone away.
#[tokio::test]
async fn a_transaction_is_over_also_when_whoever_waited_for_its_connection_has_left() {
    let database = TestDatabase::create().await;
    let (db, root) = (single(&database.web_url()), database.superuser());
    for _ in 0..20 {
        let mut tx = db.begin(tenant()).await.unwrap();
        sqlx::query("select 1").execute(&mut *tx).await.unwrap();
        let mut waits = Box::pin(db.begin(tenant()));
        assert!(poll!(&mut waits).is_pending(), "there is one connection");
        drop(tx);
        drop(waits);
        until("it is over", async || in_state(&root, "idle").await == 1).await;
    }
}
