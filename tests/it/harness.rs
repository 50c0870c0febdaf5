//! The harness keeps its own promises.

use freehold_tests::{database::TestDatabase, remote::Remote, stack::Stack};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn each_test_has_a_database_and_logs_in_as_each_role() {
    let database = TestDatabase::create().await;
    for url in [database.owner_url(), database.web_url(), database.runtime_url()] {
        let pool = sqlx::PgPool::connect(&url).await.unwrap();
        let name: String =
            sqlx::query_scalar("select current_database()::text").fetch_one(&pool).await.unwrap();
        assert_eq!(name, database.name);
    }
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let other = TestDatabase::create().await;
    let database = TestDatabase::create().await;
    let name = database.name.clone();
    drop(database);
    let there: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&other.superuser())
            .await
            .unwrap();
    assert!(!there);
}

#[tokio::test]
async fn the_remote_does_what_its_paths_say_and_remembers_it() {
    // Whoever is first installs the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let remote = Remote::start().await;
    let http = reqwest::Client::builder().timeout(Duration::from_millis(500)).build().unwrap();
    let get = async |path: &str| http.get(remote.url(path)).send().await;
    let status = async |path: &str| get(path).await.unwrap().status().as_u16();

    assert_eq!(status("/status/503").await, 503);
    assert_eq!(status("/flaky?fail=2").await, 503);
    assert_eq!(status("/flaky?fail=2").await, 503);
    assert_eq!(status("/flaky?fail=2").await, 200);
    assert_eq!(status("/redirect?to=%2Fecho").await, 200);
    assert_eq!(get("/big?bytes=1000").await.unwrap().bytes().await.unwrap().len(), 1000);
    assert!(get("/loop").await.unwrap_err().is_redirect());
    assert!(get("/hang").await.unwrap_err().is_timeout());
    assert!(!get("/reset").await.unwrap_err().is_timeout());

    let request = http.post(remote.url("/echo")).header("Idempotency-Key", "k").body("{\"a\":1}");
    let echo: serde_json::Value =
        serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!(echo["body"]["a"], 1);
    let seen = remote.requests_to("/echo").pop().unwrap();
    assert_eq!(seen.idempotency_key(), Some("k"));
    assert_eq!(remote.requests_to("/flaky").len(), 3);
}

#[tokio::test]
async fn an_organization_has_somebody_of_each_role() {
    let org = Stack::shared().await.organization().await;
    let members = org.viewer().call("MemberService/ListMembers", json!({})).await.unwrap();
    assert_eq!(members["members"].as_array().unwrap().len(), 4);
}
