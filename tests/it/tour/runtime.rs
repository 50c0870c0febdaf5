//! The runtime's contract, called as web-service calls it.

use super::{Tour, Visitor, executions::later, fresh_id, things};
use serde_json::{Value, json};

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    let action = tour.org.action(&tour.remote.url("/echo")).await;
    let mut agent = things::agent("commanded", &action);
    agent["id"] = json!(fresh_id());
    let made = tour.runtime(visitor, "AgentService/CreateAgent", json!({ "agent": agent })).await;
    let id = json!({ "id": made["id"] });
    tour.runtime(visitor, "AgentService/GetAgent", id.clone()).await;
    let changed = json!({ "id": made["id"], "name": "Another name" });
    let request = json!({ "agent": changed, "update_mask": ["name"] });
    tour.runtime(visitor, "AgentService/UpdateAgent", request).await;
    let partner = tour.stack.organization().await;
    let share = json!({ "agent_id": made["id"], "organization_id": partner.id });
    tour.runtime(visitor, "AgentService/ShareAgent", share.clone()).await;
    tour.runtime(visitor, "AgentService/UnshareAgent", share).await;

    let execution = fresh_id();
    let start = json!({ "execution_id": execution, "agent_id": made["id"], "not_before": later() });
    tour.runtime(visitor, "ExecutionService/StartExecution", start).await;
    let item = json!({ "execution_id": fresh_id(), "agent_id": made["id"], "not_before": later() });
    let batch = json!({ "requests": [item] });
    tour.runtime(visitor, "ExecutionService/BatchStartExecutions", batch).await;
    let fork = json!({ "execution_id": fresh_id(), "id": execution, "from_step": "look" });
    let fork = tour.runtime(visitor, "ExecutionService/ForkExecution", fork).await;
    tour.org.watch(fork["id"].as_str().unwrap()).await;
    let of = json!({ "id": execution });
    tour.runtime(visitor, "ExecutionService/GetExecution", of.clone()).await;
    tour.runtime(visitor, "ExecutionService/PauseExecution", of.clone()).await;
    tour.runtime(visitor, "ExecutionService/ResumeExecution", of.clone()).await;
    tour.runtime(visitor, "ExecutionService/CancelExecution", of).await;
    let none = json!({ "selection": { "execution_ids": [fresh_id()] } });
    tour.runtime(visitor, "ExecutionService/BatchCancelExecutions", none.clone()).await;
    tour.runtime(visitor, "DeadLetterService/RedriveDeadLetters", none.clone()).await;
    tour.runtime(visitor, "DeadLetterService/PurgeDeadLetters", none).await;
    limits(tour, visitor, &made["id"]).await;
    tour.runtime(visitor, "AgentService/DeleteAgent", id).await;
}

async fn limits(tour: &Tour, visitor: &mut impl Visitor, agent: &Value) {
    let whole = json!({ "executions_max": 100 });
    tour.runtime(visitor, "ConcurrencyLimitService/SetOrganizationLimit", whole).await;
    let subject = json!({ "subject": "LIMIT_SUBJECT_AGENT", "subject_id": agent });
    let mut limit = subject.clone();
    limit["executions_max"] = json!(10);
    tour.runtime(visitor, "ConcurrencyLimitService/SetConcurrencyLimit", limit).await;
    tour.runtime(visitor, "ConcurrencyLimitService/DeleteConcurrencyLimit", subject).await;
}
