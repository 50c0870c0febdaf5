//! The runtime's contract, called as web-service calls it.

use super::{Tour, Visitor, executions::later, fresh_id, things};
use serde_json::json;

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
    let of = json!({ "id": execution });
    tour.runtime(visitor, "ExecutionService/GetExecution", of.clone()).await;
    tour.runtime(visitor, "ExecutionService/CancelExecution", of).await;
    tour.runtime(visitor, "AgentService/DeleteAgent", id).await;
}
