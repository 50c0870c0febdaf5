//! Waiting for the end of an execution.

use super::{fresh, waiting, world};
use freehold_tests::{
    errors::assert_fails,
    remote::Remote,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

async fn wait(org: &Org, request: Value) -> Result<Value, Status> {
    org.viewer().call("ExecutionService/WaitExecution", request).await
}

#[tokio::test]
async fn the_answer_comes_with_the_end_and_has_the_output() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/slow?ms=300"), &remote.url("/echo")]).await;
    let id = org.start(&agent, json!({})).await;
    let done = wait(&org, json!({ "id": id })).await.unwrap();
    assert_eq!(done["state"], "EXECUTION_STATE_SUCCEEDED", "{done:#}");
    assert!(!done["output"].is_null() && done["end_time"].is_string(), "{done:#}");
    // One that has ended is answered at once.
    let begun = Instant::now();
    assert_eq!(wait(&org, json!({ "id": id, "timeout": "60s" })).await.unwrap(), done);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn many_who_wait_hear_of_a_cancel_and_hold_no_connection() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let id = waiting(&org).await;
    let waits: Vec<_> = (0..40)
        .map(|_| {
            let (org, request) = (org.clone(), json!({ "id": id, "timeout": "20s" }));
            tokio::spawn(async move { wait(&org, request).await })
        })
        .collect();
    sleep(Duration::from_millis(500)).await;
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    for it in waits {
        assert_eq!(it.await.unwrap().unwrap()["state"], "EXECUTION_STATE_CANCELLED");
    }
}

#[tokio::test]
async fn when_the_time_has_passed_it_is_answered_as_it_stands_within_a_second() {
    let (_stack, org) = world().await;
    let id = waiting(&org).await;
    let begun = Instant::now();
    let now = wait(&org, json!({ "id": id, "timeout": "0.3s" })).await.unwrap();
    assert_eq!(now["state"], "EXECUTION_STATE_QUEUED");
    assert!((300..3000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());

    // Without a time of its own it waits as long as the caller does, and still answers in time.
    let mut caller = org.viewer();
    caller.identity = caller.identity.with("grpc-timeout", "800m");
    let begun = Instant::now();
    let now = caller.call("ExecutionService/WaitExecution", json!({ "id": id })).await.unwrap();
    assert_eq!(now["state"], "EXECUTION_STATE_QUEUED");
    assert!((400..800).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_can_not_be_waited_for_is_refused() {
    let (stack, org) = world().await;
    let id = waiting(&org).await;
    let refused = wait(&org, json!({ "id": id, "timeout": "-1s" })).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "timeout");
    let other = stack.organization().await;
    for id in [id, fresh()] {
        let refused = wait(&other, json!({ "id": id })).await;
        assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
    }
}

#[tokio::test]
async fn calls_that_wait_leave_places_for_others() {
    let stack = Stack::builder().set_web("CALLS_MAX", "8").start().await;
    let org = stack.organization().await;
    let id = waiting(&org).await;
    let waits: Vec<_> = (0..4)
        .map(|_| {
            let (org, request) = (org.clone(), json!({ "id": id, "timeout": "3s" }));
            tokio::spawn(async move { wait(&org, request).await })
        })
        .collect();
    sleep(Duration::from_millis(500)).await;
    let refused = wait(&org, json!({ "id": id })).await;
    assert_fails(refused, Code::ResourceExhausted, Reason::Overloaded, None);
    org.viewer().call("ExecutionService/GetExecution", json!({ "id": id })).await.unwrap();
    for it in waits {
        it.await.unwrap().unwrap();
    }
    wait(&org, json!({ "id": id, "timeout": "0.1s" })).await.expect("there are places again");
}
