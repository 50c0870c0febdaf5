//! Agents and executions, as callers see them: what web adds to what runtime keeps.

mod agents;
mod executions;
mod relay;
mod requests;
mod shares;
mod watch;

use freehold_tests::stack::{Org, Stack};
use serde_json::{Value, json};
use shared_db::{clock::Clock, ids::OrganizationId};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tonic::Status;

/// An id that nothing has.
fn fresh() -> String {
    OrganizationId::generate().to_string()
}

/// A time at which no test runs any more.
fn later() -> Value {
    let later = Clock::System.now() + Duration::from_hours(1);
    json!(later.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// An agent that nobody has to reach.
async fn idle_agent(org: &Org) -> String {
    org.agent(&["https://example.test/"]).await
}

/// Starts an execution with these fields.
async fn start(org: &Org, fields: Value) -> Result<Value, Status> {
    org.developer().call("ExecutionService/StartExecution", fields).await
}

/// The actions that the audit trail has of a resource, oldest first.
async fn trail(org: &Org, resource: &str) -> Vec<String> {
    let request = json!({ "resource_id": resource });
    let list = org.admin().call("ActivityService/ListActivities", request).await.unwrap();
    let mut actions: Vec<String> = list["activities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].as_str().unwrap().to_owned())
        .collect();
    actions.reverse();
    actions
}

/// Asks again and again until there is an answer.
async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let give_up = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(it) = ask().await {
            return it;
        }
        assert!(Instant::now() < give_up, "{what} never came");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A shared stack and an organization of one's own in it.
async fn world() -> (std::sync::Arc<Stack>, Org) {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    (stack, org)
}
