//! Transactions in their scope: nothing of one reaches the next on the same connection.

use freehold_tests::database::TestDatabase;
use futures_util::poll;
use shared_db::{
    ids::{OrganizationId, UserId},
    pool::{Pool, PoolLimits},
    scope::{Db, Scope, Service},
    service::deadline,
};
use sqlx::AssertSqlSafe;
use std::{pin::pin, time::Duration};
use tokio::time::Instant;

/// One connection, so that whoever comes next is sure to get what was left behind.
fn one_connection(database: &TestDatabase, service: Service) -> Db {
    let limits = PoolLimits { connections_max: 1, ..PoolLimits::default() };
    Db::new(Pool::new(database.web_url().parse().unwrap(), limits), service)
}

/// The role, the organization and the user that a transaction has.
async fn state(db: &Db, scope: Scope) -> (String, Option<String>, Option<String>) {
    let mut tx = db.begin(scope).await.unwrap();
    let sql = "
        select current_user::text, nullif(current_setting('app.current_org_id', true), ''),
            nullif(current_setting('app.current_user_id', true), '')";
    sqlx::query_as(sql).fetch_one(&mut *tx).await.unwrap()
}

#[tokio::test]
async fn a_transaction_has_its_scope_and_leaves_none_behind() {
    let database = TestDatabase::create().await;
    let db = one_connection(&database, Service::Web);
    let (org, user) = (OrganizationId::generate(), UserId::generate());
    let (role, seen_org, seen_user) = state(&db, Scope::Tenant(org, Some(user))).await;
    assert_eq!((role.as_str(), seen_org), ("web_app", Some(org.to_string())));
    assert_eq!(seen_user, Some(user.to_string()));
    assert_eq!(state(&db, Scope::Platform).await, ("web_app_platform".to_owned(), None, None));
    let (role, _, seen_user) = state(&db, Scope::Tenant(org, None)).await;
    assert_eq!((role.as_str(), seen_user), ("web_app", None));
}

/// A caller may go away at any await, also while the transaction begins.
#[tokio::test]
async fn a_transaction_that_nobody_waits_for_leaves_nothing_behind() {
    let database = TestDatabase::create().await;
    let db = one_connection(&database, Service::Web);
    let (org, user) = (OrganizationId::generate(), UserId::generate());
    for round in 0..60 {
        for scope in [Scope::Platform, Scope::Tenant(OrganizationId::generate(), Some(user))] {
            let mut begin = pin!(db.begin(scope));
            for _ in 0..=round % 6 {
                if poll!(&mut begin).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
        }
        let seen = state(&db, Scope::Tenant(org, None)).await;
        assert_eq!(seen, ("web_app".to_owned(), Some(org.to_string()), None), "round {round}");
    }
}

#[tokio::test]
async fn a_deadline_in_the_far_future_is_no_error() {
    let database = TestDatabase::create().await;
    let db = one_connection(&database, Service::Web);
    let scope = Scope::Tenant(OrganizationId::generate(), None);
    let far = Instant::now() + Duration::from_hours(24 * 60);
    let mut tx = deadline::with(Some(far), db.begin(scope)).await.unwrap();
    let set: String =
        sqlx::query_scalar("select setting from pg_settings where name = 'statement_timeout'")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!(set, i32::MAX.to_string(), "as long as PostgreSQL can count");
}

#[tokio::test]
async fn a_role_that_is_refused_does_not_spoil_the_connection() {
    let database = TestDatabase::create().await;
    let db = one_connection(&database, Service::Runtime);
    // Connected as web_app: the runtime's platform role is not its own.
    assert!(db.begin(Scope::Platform).await.is_err());
    let org = OrganizationId::generate();
    let (role, seen, _) = state(&db, Scope::Tenant(org, None)).await;
    assert_eq!((role.as_str(), seen), ("web_app", Some(org.to_string())));
}

#[tokio::test]
async fn without_a_scope_a_service_sees_no_row_of_a_tenant() {
    let database = TestDatabase::create().await;
    let sql = "
        insert into web.organizations (id, slug, name) values (gen_random_uuid(), 'one', 'One');
        insert into web.core_actions (org_id, id, slug, name, kind, config)
        select id, gen_random_uuid(), 'a', 'A', 'http', '{}' from web.organizations";
    sqlx::raw_sql(sql).execute(&database.superuser()).await.unwrap();
    for (table, pool) in [
        ("web.organizations", database.web()),
        ("web.core_actions", database.web()),
        ("web.core_actions", database.runtime()),
    ] {
        let sql = format!("select count(*) from {table}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap();
        assert_eq!(count, 0, "{table}");
    }
}
