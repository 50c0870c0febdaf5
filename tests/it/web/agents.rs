//! Agents and executions, as callers see them: what web adds to what runtime keeps.

mod agents;
mod audience;
mod batches;
mod control;
mod dead_letters;
mod executions;
mod forks;
mod history;
mod input_requests;
mod keys;
mod limits;
mod relay;
mod requests;
mod searches;
mod shares;
mod signals;
mod waits;
mod watch;
mod workflow_data;

use freehold_tests::stack::{Org, Stack};
use serde_json::{Value, json};
use shared_db::{clock::Clock, ids::OrganizationId};
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tonic::{Status, Streaming};
use web_api::v1::{WatchExecutionRequest, WatchExecutionResponse};

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

type Events = Streaming<WatchExecutionResponse>;

async fn watch(org: &Org, id: &str, from_seq: i64) -> Result<Events, Status> {
    let request = WatchExecutionRequest { id: id.to_owned(), from_seq };
    Ok(org.viewer().executions().watch_execution(request).await?.into_inner())
}

/// What is left of a stream: its sequence numbers, and how it ended.
async fn rest(events: &mut Events) -> (Vec<i64>, Option<Status>) {
    let mut seen = Vec::new();
    loop {
        match events.message().await {
            Ok(Some(it)) => seen.push(it.event.unwrap().seq),
            Ok(None) => return (seen, None),
            Err(status) => return (seen, Some(status)),
        }
    }
}

/// The id of an execution that nobody begins.
async fn waiting(org: &Org) -> String {
    let agent = idle_agent(org).await;
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    start(org, request).await.unwrap()["id"].as_str().unwrap().to_owned()
}

/// Gives an execution more events behind the back of everybody, as a runtime does that hints at nothing.
async fn add_events(superuser: &PgPool, id: &str, count: i64, words: i32) {
    let mut tx = superuser.begin().await.unwrap();
    sqlx::query(
        "with grown as (
             update runtime.agent_executions set last_event_seq = last_event_seq + $2
             where id = $1::uuid
             returning org_id, id, last_event_seq
         )
         insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
         select org_id, id, seq, 'step_retry', jsonb_build_object('words', repeat('x', $3))
         from grown, generate_series(last_event_seq - $2 + 1, last_event_seq) seq",
    )
    .bind(id)
    .bind(count)
    .bind(words)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
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
