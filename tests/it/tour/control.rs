//! What people do about executions at large: pause, explain, stop many, limit, and mend what failed.

use super::{Tour, Visitor, executions::start_later, fresh_id};
use serde_json::{Value, json};

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    let agent = tour.org.agent(&[&tour.remote.url("/echo")]).await;
    let execution = start_later(tour, &agent).await;
    let id = json!({ "id": execution });
    let paused = tour.web(visitor, "ExecutionService/PauseExecution", id.clone()).await;
    assert_eq!(paused["state"], "EXECUTION_STATE_PAUSED", "{paused:#}");
    let why = tour.web(visitor, "ExecutionService/ExplainExecution", id.clone()).await;
    assert_eq!(why["reason"], "EXPLANATION_REASON_PAUSED", "{why:#}");
    let resumed = tour.web(visitor, "ExecutionService/ResumeExecution", id).await;
    assert_eq!(resumed["state"], "EXECUTION_STATE_QUEUED", "{resumed:#}");
    let batch = json!({ "selection": { "execution_ids": [execution] } });
    let batch = tour.web(visitor, "ExecutionService/BatchCancelExecutions", batch).await;
    assert_eq!((&batch["cancelled"], &batch["done"]), (&json!("1"), &json!(true)), "{batch:#}");

    limits(tour, visitor, &agent).await;
    dead_letters(tour, visitor).await;
}

/// One limit of each kind stays.
async fn limits(tour: &Tour, visitor: &mut impl Visitor, agent: &str) {
    let whole = json!({ "executions_max": 100 });
    tour.web(visitor, "ConcurrencyLimitService/SetOrganizationLimit", whole).await;
    let other = tour.org.agent(&[&tour.remote.url("/echo")]).await;
    for id in [agent, &other] {
        let limit =
            json!({ "subject": "LIMIT_SUBJECT_AGENT", "subject_id": id, "executions_max": 9 });
        tour.web(visitor, "ConcurrencyLimitService/SetConcurrencyLimit", limit).await;
    }
    let limit = json!({ "subject": "LIMIT_SUBJECT_AGENT", "subject_id": other });
    tour.web(visitor, "ConcurrencyLimitService/DeleteConcurrencyLimit", limit).await;
    let limits = tour.web(visitor, "ConcurrencyLimitService/GetConcurrencyLimits", json!({})).await;
    assert_eq!(limits["executions_max"], 100, "{limits:#}");
    assert_eq!(limits["limits"].as_array().unwrap().len(), 1, "{limits:#}");
}

/// The id of an execution whose every attempt has failed.
async fn exhausted(tour: &Tour, agent: &str) -> Value {
    let id = tour.org.start(agent, json!({})).await;
    let failed = tour.org.finish(&id).await;
    assert_eq!(failed["error"]["reason"], "ATTEMPTS_EXHAUSTED", "{failed:#}");
    json!(id)
}

/// One letter stays.
async fn dead_letters(tour: &Tour, visitor: &mut impl Visitor) {
    let action = json!({
        "http": { "method": "GET", "url": tour.remote.url("/status/503") },
        "side_effect": "SIDE_EFFECT_PURE",
        "retry": { "attempts_max": 1 },
    });
    let action = tour.org.action_with(action).await;
    let calls = json!([{ "step_key": "fails", "core_action_id": action }]);
    let agent = tour.org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let (first, second) = (exhausted(tour, &agent).await, exhausted(tour, &agent).await);
    let list = tour.web(visitor, "DeadLetterService/ListDeadLetters", json!({})).await;
    assert_eq!(list["dead_letters"].as_array().unwrap().len(), 2, "{list:#}");
    let request = json!({ "selection": { "execution_ids": [first] }, "request_id": fresh_id() });
    let redriven = tour.web(visitor, "DeadLetterService/RedriveDeadLetters", request).await;
    // Visitors compare what there is before and after: nothing may move by itself.
    tour.org.finish(redriven["execution_ids"][0].as_str().unwrap()).await;
    let purge = json!({ "selection": { "execution_ids": [second] } });
    tour.web(visitor, "DeadLetterService/PurgeDeadLetters", purge).await;
}
