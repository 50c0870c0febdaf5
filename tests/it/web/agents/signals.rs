//! Signals and decisions, through web.

use super::{fresh, trail, until, world};
use freehold_tests::{errors::assert_fails, remote::Remote, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

const SIGNAL: &str = "ExecutionService/SignalExecution";
const DECIDE: &str = "ExecutionService/DecideStep";

/// An execution that waits for two signals called `go`.
async fn waiting(org: &Org) -> String {
    let wait = |key: &str| json!({ "step_key": key, "wait_signal": { "name": "go" } });
    let calls = json!([
        wait("one"), wait("two"),
        { "step_key": "tell", "value": {}, "input": ["{{ steps.one }}", "{{ steps.two }}"] },
    ]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    org.start(&agent, json!({})).await
}

/// Waits until an execution is in this state.
async fn reaches(org: &Org, id: &str, state: &str) {
    until(state, async || {
        let it = org.viewer().call("ExecutionService/GetExecution", json!({ "id": id })).await;
        (it.unwrap()["state"] == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_signal_is_sent_once_for_each_request_id() {
    let (_stack, org) = world().await;
    let id = waiting(&org).await;
    let first = json!({ "id": id, "name": "go", "payload": 1, "request_id": fresh() });
    let answer = org.developer().call(SIGNAL, first.clone()).await.unwrap();
    assert_eq!(org.developer().call(SIGNAL, first.clone()).await.unwrap(), answer);
    let mut other = first.clone();
    other["payload"] = json!(2);
    let reused = org.developer().call(SIGNAL, other.clone()).await;
    assert_fails(reused, Code::AlreadyExists, Reason::RequestIdReused, None);
    other["request_id"] = json!(fresh());
    org.developer().call(SIGNAL, other).await.unwrap();
    assert_eq!(org.finish(&id).await["output"], json!([1.0, 2.0]));
    let trail = trail(&org, &id).await;
    assert_eq!(trail, ["StartExecution", "SignalExecution", "SignalExecution"]);
}

#[tokio::test]
async fn who_can_not_be_signalled_says_why() {
    let (stack, org) = world().await;
    let id = waiting(&org).await;
    let signal = |id: &str| json!({ "id": id, "name": "go", "request_id": fresh() });
    let stranger = stack.organization().await;
    for (caller, id) in [(stranger.owner(), id.as_str()), (org.owner(), fresh().as_str())] {
        let sent = caller.call(SIGNAL, signal(id)).await;
        assert_fails(sent, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let low = org.viewer().call(SIGNAL, signal(&id)).await;
    assert_fails(low, Code::PermissionDenied, Reason::RoleTooLow, None);
    let mut long = signal(&id);
    long["payload"] = json!("x".repeat(64 << 10));
    let sent = org.developer().call(SIGNAL, long).await;
    assert_fails(sent, Code::InvalidArgument, Reason::InvalidField, "payload");
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    org.finish(&id).await;
    let sent = org.developer().call(SIGNAL, signal(&id)).await;
    assert_fails(sent, Code::FailedPrecondition, Reason::ExecutionState, None);
}

/// An execution whose only step is undecided.
async fn undecided(org: &Org, remote: &Remote) -> String {
    let http = json!({ "method": "POST", "url": remote.url("/reset") });
    let action = json!({ "http": http, "side_effect": "SIDE_EFFECT_AT_MOST_ONCE" });
    let action = org.action_with(action).await;
    let calls = json!([{ "step_key": "pay", "core_action_id": action }]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let id = org.start(&agent, json!({})).await;
    reaches(org, &id, "EXECUTION_STATE_WAITING_INPUT").await;
    id
}

async fn step(org: &Org, id: &str) -> Value {
    let of = json!({ "execution_id": id });
    let steps = org.viewer().call("ExecutionService/ListExecutionSteps", of).await.unwrap();
    steps["steps"][0].clone()
}

#[tokio::test]
async fn a_step_is_decided_about_by_those_who_may_once() {
    let (stack, org) = world().await;
    let remote = Remote::start().await;
    let id = undecided(&org, &remote).await;
    let undecided = step(&org, &id).await;
    assert_eq!(undecided["state"], "STEP_STATE_WAITING");
    assert_eq!(undecided["error"]["reason"], "STEP_OUTCOME_UNKNOWN");
    let decide = json!({
        "execution_id": id, "step_key": "pay", "decision": "STEP_DECISION_SUCCEEDED", "output": { "receipt": 7 },
    });
    let low = org.viewer().call(DECIDE, decide.clone()).await;
    assert_fails(low, Code::PermissionDenied, Reason::RoleTooLow, None);
    let elsewhere = stack.organization().await.owner().call(DECIDE, decide.clone()).await;
    assert_fails(elsewhere, Code::NotFound, Reason::ResourceNotFound, None);
    let mut wrong = decide.clone();
    wrong["decision"] = json!("STEP_DECISION_UNSPECIFIED");
    let wrong = org.developer().call(DECIDE, wrong).await;
    assert_fails(wrong, Code::InvalidArgument, Reason::InvalidField, "decision");
    let decided = org.developer().call(DECIDE, decide.clone()).await.unwrap();
    assert_eq!(decided["decision"], "STEP_DECISION_SUCCEEDED");
    assert_eq!(decided["decided_by"], json!(org.developer.user_id));
    assert_eq!(org.developer().call(DECIDE, decide).await.unwrap(), decided);
    assert_eq!(org.finish(&id).await["output"], json!({ "receipt": 7.0 }));
    let other =
        json!({ "execution_id": id, "step_key": "pay", "decision": "STEP_DECISION_FAILED" });
    let other = org.developer().call(DECIDE, other).await;
    assert_fails(other, Code::FailedPrecondition, Reason::StepNotUndecided, None);
    assert_eq!(remote.requests().len(), 1);
}

#[tokio::test]
async fn a_step_that_is_said_to_have_failed_fails_its_execution() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let id = undecided(&org, &remote).await;
    let decide =
        json!({ "execution_id": id, "step_key": "pay", "decision": "STEP_DECISION_FAILED" });
    org.developer().call(DECIDE, decide).await.unwrap();
    let ended = org.finish(&id).await;
    assert_eq!(ended["error"]["reason"], "STEP_OUTCOME_UNKNOWN");
    let events = org.watch(&id).await;
    let decided = events.iter().find(|it| it["type"] == "EVENT_TYPE_STEP_DECIDED").unwrap();
    assert_eq!(decided["payload"]["decided_by"], json!(org.developer.user_id));
    assert_eq!(decided["payload"]["decision"], "failed");
}
