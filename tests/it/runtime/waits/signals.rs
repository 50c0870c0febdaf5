//! Signals.

use super::{Desk, assert_refused};
use crate::runtime::workshop::{Workshop, quick};
use runtime_service::store::executions::NewExecution;
use serde_json::{Value, json};
use shared_db::{
    clock::Clock,
    error::Reason,
    ids::{AgentId, ExecutionId, SignalId},
};
use std::time::Duration;
use tokio::time::sleep;
use tonic::Code;

/// An agent that waits for signals of these names, one after the other, and says what they brought.
async fn waiting(workshop: &Workshop, names: &[&str], timeout: Option<&str>) -> AgentId {
    let mut calls: Vec<Value> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let mut signal = json!({ "name": name });
        if let Some(timeout) = timeout {
            signal["timeout"] = json!(timeout);
        }
        let call = json!({ "step_key": format!("w{index}"), "wait_signal": signal, "input": {} });
        calls.push(call);
    }
    let all: Vec<_> = (0..names.len()).map(|it| format!("{{{{ steps.w{it} }}}}")).collect();
    calls.push(json!({ "step_key": "tell", "value": {}, "input": all }));
    workshop.agent(json!(calls)).await
}

#[tokio::test]
async fn a_signal_that_does_not_come_in_time_fails_its_execution() {
    let workshop = Workshop::new().await;
    let agent = waiting(&workshop, &["go"], Some("0.3s")).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.reaches(id, "waiting_input").await;
    let desk = Desk::of(&workshop);
    desk.signal(id, SignalId::generate(), "another", json!(1)).await.unwrap();
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("SIGNAL_TIMEOUT"));
    let late = desk.signal(id, SignalId::generate(), "go", json!(1)).await;
    assert_refused(late, Code::FailedPrecondition, Reason::ExecutionState);
    let unknown = ExecutionId::generate();
    let nowhere = desk.signal(unknown, SignalId::generate(), "go", json!(1)).await;
    assert_refused(nowhere, Code::NotFound, Reason::ResourceNotFound);
    engine.stop().await;
}

#[tokio::test]
async fn signals_are_taken_once_each_in_their_order_also_those_that_came_before() {
    let workshop = Workshop::new().await;
    let agent = waiting(&workshop, &["a", "b", "a"], None).await;
    let id = workshop.start(agent, json!({})).await;
    let desk = Desk::of(&workshop);
    desk.signal(id, SignalId::generate(), "a", json!("first")).await.unwrap();
    let twice = SignalId::generate();
    for _ in 0..2 {
        desk.signal(id, twice, "a", json!("second")).await.unwrap();
    }
    let engine = workshop.engine(quick());
    workshop.reaches(id, "waiting_input").await;
    desk.signal(id, SignalId::generate(), "b", json!(null)).await.unwrap();
    let standing = workshop.ended(id).await;
    assert_eq!(standing.output, Some(json!(["first", null, "second"])));
    desk.signal(id, twice, "a", json!("second")).await.unwrap();
    let told = workshop.kinds(id).await.iter().filter(|it| *it == "signal_received").count();
    assert_eq!(told, 3);
    engine.stop().await;
}

#[tokio::test]
async fn there_is_an_end_to_how_many_may_wait() {
    let workshop = Workshop::new().await;
    let agent = waiting(&workshop, &["go"], None).await;
    let id = workshop.start(agent, json!({})).await;
    sqlx::query(
        "insert into runtime.execution_signals (org_id, execution_id, id, name)
         select $1, $2, gen_random_uuid(), 'noise' from generate_series(1, 999)",
    )
    .bind(workshop.org.0)
    .bind(id.0)
    .execute(&workshop.root)
    .await
    .unwrap();
    let desk = Desk::of(&workshop);
    let last = SignalId::generate();
    desk.signal(id, last, "noise", json!({})).await.unwrap();
    let more = desk.signal(id, SignalId::generate(), "go", json!({})).await;
    assert_refused(more, Code::ResourceExhausted, Reason::TooManySignals);
    desk.signal(id, last, "noise", json!({})).await.unwrap();
}

#[tokio::test]
async fn a_signal_starts_nothing_before_its_time() {
    let workshop = Workshop::new().await;
    let agent = waiting(&workshop, &["go"], None).await;
    let later = Clock::System.now() + Duration::from_millis(900);
    let new = NewExecution { not_before: Some(later), ..workshop.new_execution(agent, json!({})) };
    let id = workshop.start_as(new).await;
    let engine = workshop.engine(quick());
    let desk = Desk::of(&workshop);
    desk.signal(id, SignalId::generate(), "go", json!({})).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(workshop.standing(id).await.state, "queued");
    assert_eq!(workshop.standing(id).await.attempt, 0);
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_in_the_moment_of_suspending_is_not_missed() {
    let workshop = Workshop::new().await;
    let agent = waiting(&workshop, &["go"], None).await;
    let engine = workshop.engine(quick());
    let desk = Desk::of(&workshop);
    for round in 0..60_u64 {
        let id = workshop.start(agent, json!({})).await;
        sleep(Duration::from_micros(500 * (round % 30))).await;
        desk.signal(id, SignalId::generate(), "go", json!(round)).await.unwrap();
        assert_eq!(workshop.ended(id).await.output, Some(json!([round])));
    }
    engine.stop().await;
}
