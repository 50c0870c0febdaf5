//! Request ids: once accepted, started once, whatever is away or dies in between.

use super::{fresh, idle_agent, later, relay::Relay, start, trail, until, world};
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use prost::Message;
use runtime_api::v1 as rt;
use serde_json::{Value, json};
use shared_db::{clock::Clock, error::Reason, ids::ExecutionId};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt;

async fn count(org: &Org) -> usize {
    let list = json!({ "page_size": 1000 });
    let list = org.viewer().call("ExecutionService/ListExecutions", list).await.unwrap();
    list["executions"].as_array().unwrap().len()
}

/// What the database knows of a request.
async fn state(stack: &Stack, request_id: &str) -> (String, bool, bool) {
    sqlx::query_as(
        "select state::text, command is not null, response is not null from web.request_ids where request_id = $1",
    )
    .bind(request_id)
    .fetch_one(&stack.database.superuser())
    .await
    .unwrap()
}

/// A stack whose web reaches its runtime through a relay, closed at first.
async fn apart() -> (Stack, Relay) {
    let relay = Relay::closed().await;
    let url = format!("http://{}", relay.address);
    let stack = Stack::builder()
        .set_web("RUNTIME_URL", &url)
        .set_web("SENDER_INTERVAL", "50ms")
        .start()
        .await;
    (stack, relay)
}

#[tokio::test]
async fn the_first_answer_is_given_again_even_when_the_execution_has_moved_on() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let first = start(&org, request.clone()).await.unwrap();
    let id = json!({ "id": first["id"] });
    org.developer().call("ExecutionService/CancelExecution", id).await.unwrap();
    assert_eq!(start(&org, request).await.unwrap(), first);
    let trail = trail(&org, first["id"].as_str().unwrap()).await;
    assert_eq!(trail, ["StartExecution", "CancelExecution"]);
}

#[tokio::test]
async fn one_request_id_is_one_request_whatever_its_method() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let request_id = fresh();
    let request = json!({ "agent_id": agent, "request_id": request_id, "not_before": later() });
    start(&org, request).await.unwrap();
    let agent = json!({
        "slug": "other", "name": "Other", "type": "AGENT_TYPE_EXTERNAL", "endpoint": {},
    });
    let request = json!({ "agent": agent, "request_id": request_id });
    let refused = org.developer().call("AgentService/CreateAgent", request).await;
    assert_fails(refused, Code::AlreadyExists, Reason::RequestIdReused, None);
    // In another organization it is another id.
    let other = stack.organization().await;
    let agent = idle_agent(&other).await;
    let request = json!({ "agent_id": agent, "request_id": request_id, "not_before": later() });
    start(&other, request).await.unwrap();
}

#[tokio::test]
async fn a_row_that_a_killed_web_left_behind_is_sent_and_answered_once() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let (execution, request_id) = (ExecutionId::generate(), fresh());
    let command = rt::StartExecutionRequest {
        agent_id: agent.clone(),
        session_id: "left behind".to_owned(),
        not_before: Some(prost_types::Timestamp {
            seconds: (Clock::System.now() + Duration::from_hours(1)).timestamp(),
            nanos: 0,
        }),
        ..Default::default()
    };
    let root = stack.database.superuser();
    sqlx::query(
        "insert into web.request_ids
             (org_id, request_id, method, payload_hash, resource_id, state, command, user_id, api_key_id, traceparent, send_after)
         values ($1::uuid, $2, 'StartExecution', sha256($3), $4, 'pending', $3, $5::uuid, $6::uuid, $7, now())",
    )
    .bind(&org.id)
    .bind(&request_id)
    .bind(command.encode_to_vec())
    .bind(execution.0)
    .bind(&org.developer.user_id)
    .bind(&org.developer.key_id)
    .bind("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    .execute(&root)
    .await
    .unwrap();

    let read = json!({ "id": execution.to_string() });
    let seen = until("the execution", async || {
        org.viewer().call("ExecutionService/GetExecution", read.clone()).await.ok()
    })
    .await;
    assert_eq!(
        (&seen["session_id"], &seen["created_by"]),
        (&json!("left behind"), &json!(org.developer.user_id))
    );
    until("the answer", async || (state(&stack, &request_id).await.0 == "answered").then_some(()))
        .await;
    assert_eq!(state(&stack, &request_id).await, ("answered".to_owned(), false, true));
    assert_eq!(trail(&org, &execution.to_string()).await, ["StartExecution"]);

    // Whoever comes back with the same request gets the answer that it never heard.
    let not_before = seen["not_before"].clone();
    let request = json!({
        "agent_id": agent, "session_id": "left behind", "request_id": request_id, "not_before": not_before,
    });
    assert_eq!(start(&org, request).await.unwrap()["id"], execution.to_string());
    assert_eq!(count(&org).await, 1);
}

#[tokio::test]
async fn while_the_runtime_is_away_a_start_is_unavailable_and_succeeds_later_under_the_same_request_id()
 {
    let (stack, relay) = apart().await;
    let org = stack.organization().await;
    let to = stack.runtimes[0].grpc;
    relay.open(to);
    let agent = idle_agent(&org).await;
    relay.close();

    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let status = assert_fails(
        start(&org, request.clone()).await,
        Code::Unavailable,
        Reason::RuntimeUnavailable,
        None,
    );
    assert!(status.get_details_retry_info().is_some(), "{status:?}");
    // What needs no command works on.
    assert_eq!(count(&org).await, 0);
    let refused = org.developer().call("AgentService/DeleteAgent", json!({ "id": agent })).await;
    assert_fails(refused, Code::Unavailable, Reason::RuntimeUnavailable, None);

    relay.open(to);
    let first = start(&org, request.clone()).await.unwrap();
    assert_eq!(start(&org, request).await.unwrap()["id"], first["id"]);
    assert_eq!(count(&org).await, 1);
    assert_eq!(trail(&org, first["id"].as_str().unwrap()).await, ["StartExecution"]);
}

#[tokio::test]
async fn what_was_accepted_while_the_runtime_was_away_is_started_when_nobody_asks_again() {
    let (stack, relay) = apart().await;
    let org = stack.organization().await;
    relay.open(stack.runtimes[0].grpc);
    let agent = idle_agent(&org).await;
    relay.close();
    let request_id = fresh();
    let request = json!({ "agent_id": agent, "request_id": request_id, "not_before": later() });
    let refused: Result<Value, Status> = start(&org, request.clone()).await;
    assert_fails(refused, Code::Unavailable, Reason::RuntimeUnavailable, None);
    assert_eq!(state(&stack, &request_id).await, ("pending".to_owned(), true, false));

    relay.open(stack.runtimes[0].grpc);
    until("the answer", async || (state(&stack, &request_id).await.0 == "answered").then_some(()))
        .await;
    assert_eq!(count(&org).await, 1);
    let id = start(&org, request).await.unwrap()["id"].clone();
    assert_eq!(trail(&org, id.as_str().unwrap()).await, ["StartExecution"]);
    assert_eq!(count(&org).await, 1);
}

#[tokio::test]
async fn a_runtime_that_does_not_know_web_is_unavailable_and_not_the_callers_fault() {
    let stack = Stack::builder().set_web("RUNTIME_KEY", "not the key of the runtime").start().await;
    let org = stack.organization().await;
    let request = json!({ "agent_id": fresh(), "request_id": fresh() });
    let refused = start(&org, request).await;
    assert_fails(refused, Code::Unavailable, Reason::RuntimeUnavailable, None);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind_and_its_request_id_can_be_used_again() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let request_id = fresh();
    let wrong = json!({ "agent_id": fresh(), "request_id": request_id, "not_before": later() });
    for _ in 0..2 {
        let refused = start(&org, wrong.clone()).await;
        assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
        assert_eq!(state(&stack, &request_id).await, ("abandoned".to_owned(), false, false));
    }
    assert_eq!(count(&org).await, 0);
    let right = json!({ "agent_id": agent, "request_id": request_id, "not_before": later() });
    let started = start(&org, right.clone()).await.unwrap();
    let refused = start(&org, wrong).await;
    assert_fails(refused, Code::AlreadyExists, Reason::RequestIdReused, None);
    assert_eq!(count(&org).await, 1);
    assert_eq!(trail(&org, started["id"].as_str().unwrap()).await, ["StartExecution"]);
}

#[tokio::test]
async fn a_refused_agent_can_be_mended_under_the_same_request_id() {
    let (_stack, org) = world().await;
    let request_id = fresh();
    let agent = |kind: &str| json!({ "agent": { "slug": "mended", "name": "M", "type": kind, "endpoint": {} }, "request_id": request_id });
    let refused = org.developer().call("AgentService/CreateAgent", agent("AGENT_TYPE_API")).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "agent.endpoint.calls");
    let mended = agent("AGENT_TYPE_EXTERNAL");
    let made = org.developer().call("AgentService/CreateAgent", mended.clone()).await.unwrap();
    let again = org.developer().call("AgentService/CreateAgent", mended).await.unwrap();
    assert_eq!(again, made);
}
