//! From the first probe to the last connection.

use super::stand::{Stand, get, is_serving, watch};
use freehold_tests::{
    database::TestDatabase,
    errors::{assert_error, assert_fails},
};
use shared_db::error::Reason;
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tonic::Code;

async fn eventually<F: Future<Output = bool>>(within: Duration, mut is: impl FnMut() -> F) {
    let until = Instant::now() + within;
    while !is().await {
        assert!(Instant::now() < until, "it did not come true within {within:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_forbidden_grant_turns_health_off_and_its_removal_on_again() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &["--probe-interval", "1s"]).await;
    let mut client = stand.client().await;
    let superuser = database.superuser();

    sqlx::raw_sql("grant insert on runtime.agents to web_app").execute(&superuser).await.unwrap();
    let service = "freehold.web.v1.ExecutionService";
    eventually(Duration::from_secs(10), || async { !is_serving(stand.health, "").await }).await;
    assert!(!is_serving(stand.health, service).await);
    let refused = client.get_execution(get("nothing")).await;
    assert_fails(refused, Code::Unavailable, Reason::NotServing, None);

    sqlx::raw_sql("revoke insert on runtime.agents from web_app")
        .execute(&superuser)
        .await
        .unwrap();
    eventually(Duration::from_secs(10), || is_serving(stand.health, service)).await;
    client.get_execution(get("nothing")).await.expect("it serves again");
}

#[tokio::test]
async fn a_superuser_is_never_served() {
    let database = TestDatabase::create().await;
    let stand = Stand::start_unready(&database.superuser_url(), &[]).await;
    let mut client = stand.client().await;
    let refused = client.get_execution(get("nothing")).await;
    assert_fails(refused, Code::Unavailable, Reason::NotServing, None);
    assert!(!is_serving(stand.health, "").await);
}

#[tokio::test]
async fn without_a_database_it_starts_and_does_not_serve() {
    // Nothing listens on port 1.
    let nowhere = "postgres://web_app@127.0.0.1:1/freehold";
    let stand = Stand::start_unready(nowhere, &["--database-acquire-timeout", "200ms"]).await;
    let refused = stand.client().await.get_execution(get("nothing")).await;
    assert_fails(refused, Code::Unavailable, Reason::NotServing, None);
    assert!(!is_serving(stand.health, "").await);
    assert!(is_serving(stand.health, "liveness").await, "it lives: an end would not mend it");
    stand.stop.cancel();
    eventually(Duration::from_secs(5), || async { stand.running.is_finished() }).await;
}

#[tokio::test]
async fn a_stop_ends_though_a_silent_client_is_connected() {
    let database = TestDatabase::create().await;
    let mut stand = Stand::start(&database, &["--shutdown-grace", "1s"]).await;
    let mut silent = TcpStream::connect(stand.grpc).await.unwrap();
    let _health = TcpStream::connect(stand.health).await.unwrap();
    let _metrics = TcpStream::connect(stand.metrics).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    stand.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(10), &mut stand.running).await;
    ended.expect("it ends").unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(silent.read_u8().await);
}

#[tokio::test]
async fn a_stop_lets_calls_finish_and_sends_streams_elsewhere() {
    let database = TestDatabase::create().await;
    let mut stand = Stand::start(&database, &["--shutdown-grace", "10s"]).await;
    let mut client = stand.client().await;
    let mut stream = client.watch_execution(watch("wait")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let call = tokio::spawn({
        let mut client = client.clone();
        async move { client.get_execution(get("nap")).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;

    stand.stop.cancel();
    let status = stream.message().await.expect_err("the stream ends");
    assert_error(&status, Code::Unavailable, Reason::NotServing, None);
    call.await.unwrap().expect("what was under way is answered");
    drop((stream, client));
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut stand.running).await;
    ended.expect("it does not wait for the whole grace").unwrap().unwrap();
}

#[tokio::test]
async fn it_is_not_serving_before_it_refuses_connections() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &["--drain-delay", "2s"]).await;
    let mut client = stand.client().await;
    stand.stop.cancel();
    eventually(Duration::from_secs(1), || async { !is_serving(stand.health, "").await }).await;
    client.get_execution(get("nothing")).await.expect("calls still come in while it drains");
    TcpStream::connect(stand.grpc).await.expect("connections too");
}
