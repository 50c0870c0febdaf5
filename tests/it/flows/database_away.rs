//! The database goes away and comes back: callers are told what to do, and nobody restarts anything.

use freehold_tests::{
    database::TestDatabase, errors::assert_fails, proxy::Proxy, remote::Remote, stack::Stack,
};
use serde_json::json;
use shared_db::error::Reason;
use std::time::{Duration, Instant};
use tonic::Code;
use tonic_types::StatusExt;

/// A stack whose services reach the database by way of a proxy.
async fn stack() -> (Stack, Proxy) {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database).await;
    let builder = Stack::builder()
        .set_web("DATABASE_URL", &proxy.url(&database.web_url()))
        .set_runtime("DATABASE_URL", &proxy.url(&database.runtime_url()))
        .set("DATABASE_ACQUIRE_TIMEOUT", "1s");
    (builder.on(database).await, proxy)
}

#[tokio::test]
async fn callers_are_told_to_come_back_and_find_it_mended() {
    let (stack, proxy) = stack().await;
    let org = stack.organization().await;
    let list = async || org.viewer().call("MemberService/ListMembers", json!({})).await;
    list().await.unwrap();

    proxy.cut();
    for _ in 0..3 {
        let reason = Reason::DatabaseUnavailable;
        let status = assert_fails(list().await, Code::Unavailable, reason, None);
        assert!(status.get_details_retry_info().is_some(), "it says when: {status:?}");
    }

    proxy.mend();
    let begun = Instant::now();
    while list().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_silent_database_does_not_hold_a_caller_longer_than_its_deadline() {
    let (stack, proxy) = stack().await;
    let org = stack.organization().await;
    org.viewer().call("MemberService/ListMembers", json!({})).await.unwrap();

    proxy.silence();
    let mut caller = org.viewer();
    caller.identity = caller.identity.with("grpc-timeout", "700m");
    let begun = Instant::now();
    let status = caller.call("MemberService/ListMembers", json!({})).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let told = [Code::DeadlineExceeded, Code::Unavailable, Code::Cancelled];
    assert!(told.contains(&status.code()), "{status:?}");
    proxy.mend();
}

#[tokio::test]
async fn work_goes_on_where_it_was_when_the_database_comes_back() {
    let (stack, proxy) = stack().await;
    let (org, remote) = (stack.organization().await, Remote::start().await);
    let slow = remote.url("/slow?ms=600");
    let agent = org.agent(&[&remote.url("/echo"), &slow, &remote.url("/echo")]).await;
    let execution = org.start(&agent, json!({})).await;
    while remote.requests_to("/slow").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // While the second step waits for its answer.
    proxy.cut();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    proxy.mend();

    let begun = Instant::now();
    let done = loop {
        let get = json!({ "id": execution });
        let now = org.viewer().call("ExecutionService/GetExecution", get).await;
        if let Ok(now) = now
            && now["end_time"].is_string()
        {
            break now;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "it does not go on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(done["state"], "EXECUTION_STATE_SUCCEEDED", "{done:#}");
    assert_eq!(remote.requests_to("/echo").len(), 2, "no finished step is done again");
    let events = org.watch(&execution).await;
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], (index + 1).to_string());
    }
}
