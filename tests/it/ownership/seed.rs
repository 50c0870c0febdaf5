//! Seeding: what a new installation is shown with.

use freehold_tests::database::TestDatabase;
use secrecy::ExposeSecret;
use shared_db::seed;
use sqlx::{Connection, PgConnection};

async fn keys(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("select count(*) from web.api_keys")
        .fetch_one(&database.superuser())
        .await
        .unwrap()
}

#[tokio::test]
async fn seeding_again_makes_another_key_and_nothing_else() {
    let database = TestDatabase::create().await;
    for url in [database.superuser_url(), database.owner_url()] {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        let seeded = seed::run(&mut conn, None).await.unwrap();
        assert!(seeded.new_key.unwrap().expose_secret().starts_with("fh_"));
    }
    let count =
        "select (select count(*) from web.organizations) + (select count(*) from web.users)";
    let count: i64 = sqlx::query_scalar(count).fetch_one(&database.superuser()).await.unwrap();
    assert_eq!((count, keys(&database).await), (2, 2));
}

#[tokio::test]
async fn a_given_key_is_accepted_once_and_not_shown() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let key = format!("fh_abcdefGHIJ12_{}", "k".repeat(43)).into();
    for _ in 0..2 {
        assert!(seed::run(&mut conn, Some(&key)).await.unwrap().new_key.is_none());
    }
    assert_eq!(keys(&database).await, 1);
}

#[tokio::test]
async fn a_malformed_key_or_one_whose_prefix_is_taken_is_refused() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let key = |prefix: &str, secret: &str| format!("fh_{prefix}_{}", secret.repeat(43)).into();
    assert!(seed::run(&mut conn, Some(&key("short", "k"))).await.is_err());
    assert_eq!(keys(&database).await, 0);
    seed::run(&mut conn, Some(&key("abcdefGHIJ12", "k"))).await.unwrap();
    let error = seed::run(&mut conn, Some(&key("abcdefGHIJ12", "m"))).await.unwrap_err();
    assert!(error.to_string().contains("prefix abcdefGHIJ12"), "{error:#}");
    assert!(!error.to_string().contains("mmm"), "{error:#}");
}
