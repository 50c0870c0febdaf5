//! Executions: one that runs to its end, and one that is cancelled before it begins.

use super::{Tour, Visitor, fresh_id};
use serde_json::{Value, json};
use shared_db::clock::Clock;
use std::time::Duration;

/// A time at which no test runs any more.
pub(super) fn later() -> Value {
    let later = Clock::System.now() + Duration::from_hours(1);
    json!(later.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    let agent = tour.org.agent(&[&tour.remote.url("/echo")]).await;
    let request = json!({ "agent_id": agent, "request_id": fresh_id() });
    let execution = tour.web(visitor, "ExecutionService/StartExecution", request).await;
    // Visitors compare what there is before and after: nothing may move by itself.
    tour.org.watch(execution["id"].as_str().unwrap()).await;

    let id = json!({ "id": execution["id"] });
    let events = tour.web(visitor, "ExecutionService/WatchExecution", id.clone()).await;
    assert!(3 <= events.as_array().unwrap().len(), "queued, started, … , ended: {events:#}");
    let execution = tour.web(visitor, "ExecutionService/WaitExecution", id.clone()).await;
    assert_eq!(execution["state"], "EXECUTION_STATE_SUCCEEDED", "{execution:#}");
    let execution = tour.web(visitor, "ExecutionService/GetExecution", id).await;
    assert_eq!(execution["state"], "EXECUTION_STATE_SUCCEEDED", "{execution:#}");
    let list = json!({ "agent_id": agent });
    tour.web(visitor, "ExecutionService/ListExecutions", list.clone()).await;
    let counts = tour.web(visitor, "ExecutionService/CountExecutions", list).await;
    assert_eq!(counts["total"], "1", "{counts:#}");
    let of = json!({ "execution_id": execution["id"] });
    let steps = tour.web(visitor, "ExecutionService/ListExecutionSteps", of.clone()).await;
    assert_eq!(steps["steps"].as_array().unwrap().len(), 1);
    let actions = tour.web(visitor, "ExecutionService/ListActionExecutions", of).await;
    assert_eq!(actions["action_executions"].as_array().unwrap().len(), 1);

    let fork = json!({ "id": execution["id"], "from_step": "step-1", "request_id": fresh_id() });
    let fork = tour.web(visitor, "ExecutionService/ForkExecution", fork).await;
    tour.org.watch(fork["id"].as_str().unwrap()).await;
    let item = json!({ "agent_id": agent, "not_before": later(), "execution_key": "tour" });
    let batch = json!({ "requests": [item], "request_id": fresh_id() });
    let batch = tour.web(visitor, "ExecutionService/BatchStartExecutions", batch).await;
    assert_eq!(batch["results"][0]["execution"]["execution_key"], "tour", "{batch:#}");

    let id = json!({ "id": start_later(tour, &agent).await });
    let cancelled = tour.web(visitor, "ExecutionService/CancelExecution", id).await;
    assert_eq!(cancelled["state"], "EXECUTION_STATE_CANCELLED", "{cancelled:#}");
    // One is left in the queue, for whoever looks at what the tour leaves behind.
    start_later(tour, &agent).await;
}

/// The id of an execution that waits for longer than any test.
pub(super) async fn start_later(tour: &Tour, agent: &str) -> Value {
    let request = json!({ "agent_id": agent, "request_id": fresh_id(), "not_before": later() });
    let waiting = tour.org.developer().call("ExecutionService/StartExecution", request).await;
    waiting.unwrap()["id"].take()
}
