//! Executions that wait: for an answer, a signal, a decision, and for data that never comes.
//!
//! Visitors compare what there is before and after, so nothing may move by itself: each call is made when the execution waits, and the
//! next one when it waits again or has ended.

use super::{Tour, Visitor, fresh_id};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    questions(tour, visitor).await;
    signals(tour, visitor).await;
    decisions(tour, visitor).await;
    data(tour, visitor).await;
}

async fn questions(tour: &Tour, visitor: &mut impl Visitor) {
    let ask = json!({ "step_key": "ask", "request_input": { "least_role": "viewer" } });
    let id = waiting(tour, json!([ask, ask_again("again"), ask_again("more")])).await;
    let list = json!({ "execution_id": id });
    let list = tour.web(visitor, "InputRequestService/ListInputRequests", list).await;
    let question = &list["input_requests"][0];
    let get = json!({ "id": question["id"] });
    tour.web(visitor, "InputRequestService/GetInputRequest", get).await;
    let answer = json!({ "id": question["id"], "response": { "approved": true } });
    tour.web(visitor, "InputRequestService/AnswerInputRequest", answer).await;
    waits_at(tour, &id, "again").await;
    let question = open_question(tour, &id).await;
    let answer = json!({ "id": question, "response": 1, "role": "ROLE_DEVELOPER" });
    tour.runtime(visitor, "InputRequestService/AnswerInputRequest", answer).await;
    // One question is left open.
    waits_at(tour, &id, "more").await;
}

fn ask_again(key: &str) -> Value {
    json!({ "step_key": key, "request_input": {} })
}

async fn open_question(tour: &Tour, id: &str) -> Value {
    let list = json!({ "execution_id": id, "state": "INPUT_REQUEST_STATE_OPEN" });
    let list = tour.org.viewer().call("InputRequestService/ListInputRequests", list).await;
    list.unwrap()["input_requests"][0]["id"].take()
}

async fn signals(tour: &Tour, visitor: &mut impl Visitor) {
    let wait = |key: &str| json!({ "step_key": key, "wait_signal": { "name": "go" } });
    let id = waiting(tour, json!([wait("one"), wait("two"), wait("three")])).await;
    let signal = json!({ "id": id, "name": "go", "request_id": fresh_id() });
    tour.web(visitor, "ExecutionService/SignalExecution", signal).await;
    waits_at(tour, &id, "two").await;
    let signal = json!({ "id": id, "name": "go", "signal_id": fresh_id() });
    tour.runtime(visitor, "ExecutionService/SignalExecution", signal).await;
    waits_at(tour, &id, "three").await;
}

async fn decisions(tour: &Tour, visitor: &mut impl Visitor) {
    let http = json!({ "method": "POST", "url": tour.remote.url("/reset") });
    let action = json!({ "http": http, "side_effect": "SIDE_EFFECT_AT_MOST_ONCE" });
    let action = tour.org.action_with(action).await;
    let pay = |key: &str| json!({ "step_key": key, "core_action_id": action });
    let id = waiting(tour, json!([pay("one"), pay("two")])).await;
    let decide = |key: &str, decision: &str| {
        let decision = format!("STEP_DECISION_{decision}");
        json!({ "execution_id": id, "step_key": key, "decision": decision })
    };
    tour.web(visitor, "ExecutionService/DecideStep", decide("one", "SUCCEEDED")).await;
    waits_at(tour, &id, "two").await;
    tour.runtime(visitor, "ExecutionService/DecideStep", decide("two", "FAILED")).await;
    tour.org.finish(&id).await;
}

async fn data(tour: &Tour, visitor: &mut impl Visitor) {
    let id = waiting(
        tour,
        json!([
            { "step_key": "put", "put_data": { "key": "plan", "tags": ["tour"] }, "input": { "a": 1 } },
            { "step_key": "get", "get_data": { "key": "never", "wait": true } },
        ]),
    )
    .await;
    let get = json!({ "execution_id": id, "key": "plan" });
    let kept = tour.web(visitor, "WorkflowDataService/GetWorkflowData", get).await;
    assert_eq!(kept["value"], json!({ "a": 1.0 }));
    let list = json!({ "execution_id": id });
    tour.web(visitor, "WorkflowDataService/ListWorkflowData", list).await;
}

/// A new execution of these steps, once it waits.
async fn waiting(tour: &Tour, calls: Value) -> String {
    let agent = tour.org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let id = tour.org.start(&agent, json!({})).await;
    let last = calls.as_array().unwrap().len() - 1;
    let first = if calls[0].get("put_data").is_some() { &calls[last] } else { &calls[0] };
    waits_at(tour, &id, first["step_key"].as_str().unwrap()).await;
    id
}

/// Waits until an execution waits at a step, and nobody works on it.
async fn waits_at(tour: &Tour, id: &str, key: &str) {
    for _ in 0..500 {
        let execution =
            tour.org.viewer().call("ExecutionService/GetExecution", json!({ "id": id })).await;
        let state = execution.unwrap()["state"].take();
        let of = json!({ "execution_id": id });
        let steps =
            tour.org.viewer().call("ExecutionService/ListExecutionSteps", of).await.unwrap();
        let step = steps["steps"].as_array().unwrap().last().cloned().unwrap_or_default();
        let waits = state == "EXECUTION_STATE_WAITING_INPUT" || state == "EXECUTION_STATE_SLEEPING";
        if waits && step["step_key"] == key && step["state"] == "STEP_STATE_WAITING" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} does not come to wait at {key}");
}
