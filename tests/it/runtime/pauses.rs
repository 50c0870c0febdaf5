//! Executions that a person holds, and lets go on.

use super::workshop::{Workshop, limits, quick, until};
use runtime_service::store::executions::{Limits, NewExecution};
use serde_json::json;
use shared_db::{
    clock::Clock,
    error::Reason,
    ids::{ExecutionId, WorkerId},
};
use std::time::Duration;

/// Longer than any engine here takes to find work.
const A_WHILE: Duration = Duration::from_millis(400);

async fn is_paused(workshop: &Workshop, id: ExecutionId) {
    let paused = ("paused".to_owned(), "paused".to_owned(), false, false);
    assert_eq!(workshop.place(id).await, paused);
    workshop.check(id).await;
}

#[tokio::test]
async fn one_that_has_ended_can_be_neither_paused_nor_resumed() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.cancel(id, "").await.unwrap();
    let before = workshop.events(id).await;
    for refused in [workshop.pause(id).await, workshop.resume(id).await] {
        assert_eq!(refused.unwrap_err().kind().1, Reason::ExecutionState);
    }
    assert_eq!(workshop.events(id).await, before);
    let nobody = ExecutionId::generate();
    for refused in [workshop.pause(nobody).await, workshop.resume(nobody).await] {
        assert_eq!(refused.unwrap_err().kind().1, Reason::ResourceNotFound);
    }
}

#[tokio::test]
async fn one_that_waits_for_a_worker_is_paused_at_once_and_done_after_it_is_resumed() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.pause(id).await.unwrap();
    is_paused(&workshop, id).await;
    workshop.pause(id).await.unwrap();
    assert_eq!(workshop.kinds(id).await, ["execution_queued", "execution_paused"]);
    let engine = workshop.engine(quick());
    tokio::time::sleep(A_WHILE).await;
    is_paused(&workshop, id).await;
    assert!(workshop.remote.requests().is_empty());
    workshop.resume(id).await.unwrap();
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let kinds = workshop.kinds(id).await;
    assert_eq!(kinds[1..4], ["execution_paused", "execution_unpaused", "execution_started"]);
    engine.stop().await;
}

#[tokio::test]
async fn resuming_what_is_not_paused_changes_nothing() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.resume(id).await.unwrap();
    assert_eq!(workshop.kinds(id).await, ["execution_queued"]);
    assert_eq!(workshop.place(id).await, ("ready".to_owned(), "queued".to_owned(), false, false));
}

#[tokio::test]
async fn one_that_runs_ends_its_step_and_is_left_before_the_next() {
    let workshop = Workshop::new().await;
    let agent = workshop.chain(&["/slow?ms=400", "/echo"]).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 1).await;
    workshop.pause(id).await.unwrap();
    workshop.pause(id).await.unwrap();
    let (phase, _, on_queue, on_execution) = workshop.place(id).await;
    assert_eq!((phase.as_str(), on_queue, on_execution), ("held", true, true));
    workshop.reaches(id, "paused").await;
    is_paused(&workshop, id).await;
    tokio::time::sleep(A_WHILE).await;
    assert!(workshop.remote.requests_to("/echo").is_empty());
    workshop.resume(id).await.unwrap();
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    assert_eq!(workshop.remote.requests_to("/slow").len(), 1, "what was done stays done");
    assert_eq!(workshop.remote.requests_to("/echo").len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn a_request_that_is_taken_back_in_time_was_never_made() {
    let workshop = Workshop::new().await;
    let agent = workshop.chain(&["/slow?ms=400", "/echo"]).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 1).await;
    workshop.pause(id).await.unwrap();
    // The worker has heard of it.
    tokio::time::sleep(Duration::from_millis(150)).await;
    workshop.resume(id).await.unwrap();
    let (_, _, on_queue, on_execution) = workshop.place(id).await;
    assert_eq!((on_queue, on_execution), (false, false));
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    assert!(!workshop.kinds(id).await.contains(&"execution_paused".to_owned()));
    engine.stop().await;
}

#[tokio::test]
async fn one_that_has_no_further_step_ends_although_it_was_asked_to_pause() {
    let workshop = Workshop::new().await;
    let agent = workshop.chain(&["/slow?ms=300"]).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 1).await;
    workshop.pause(id).await.unwrap();
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let asked: bool =
        sqlx::query_scalar("select pause_requested from runtime.agent_executions where id = $1")
            .bind(id.0)
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert!(!asked);
    engine.stop().await;
}

#[tokio::test]
async fn the_total_limit_goes_on_and_the_queue_limit_does_not() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let short = Duration::from_millis(700);
    let total = workshop.start_limited(agent, Limits { total: short, ..limits() }).await;
    let queue = workshop.start_limited(agent, Limits { queue: short, ..limits() }).await;
    for id in [total, queue] {
        workshop.pause(id).await.unwrap();
        let at_total: bool = sqlx::query_scalar(
            "select deadline = total_deadline from runtime.execution_queue where execution_id = $1",
        )
        .bind(id.0)
        .fetch_one(&workshop.root)
        .await
        .unwrap();
        assert!(at_total);
    }
    let engine = workshop.engine(quick());
    let ended = workshop.ended(total).await;
    assert_eq!((ended.state.as_str(), ended.reason.as_deref()), ("failed", Some("TIME_LIMIT")));
    tokio::time::sleep(A_WHILE).await;
    is_paused(&workshop, queue).await;
    workshop.resume(queue).await.unwrap();
    assert_eq!(workshop.ended(queue).await.state, "succeeded");
    engine.stop().await;
}

#[tokio::test]
async fn one_whose_worker_dies_before_it_could_leave_it_is_paused_all_the_same() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    let taken = workshop.claim(WorkerId::generate(), Duration::from_millis(300), 1).await;
    assert_eq!(taken.len(), 1);
    workshop.pause(id).await.unwrap();
    let engine = workshop.engine(quick());
    workshop.reaches(id, "paused").await;
    is_paused(&workshop, id).await;
    let lost = workshop
        .count(
            "select lost_leases::bigint from runtime.execution_queue where execution_id = $1",
            id,
        )
        .await;
    assert_eq!(lost, 1);
    assert!(workshop.remote.requests().is_empty());
    workshop.resume(id).await.unwrap();
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    engine.stop().await;
}

#[tokio::test]
async fn one_that_sleeps_is_paused_at_once_and_looks_anew_when_it_is_resumed() {
    let workshop = Workshop::new().await;
    let (short, long) = (workshop.sleeper("0.5s").await, workshop.sleeper("3600s").await);
    let (over, not_over) =
        (workshop.start(short, json!({})).await, workshop.start(long, json!({})).await);
    let engine = workshop.engine(quick());
    for id in [over, not_over] {
        workshop.reaches(id, "sleeping").await;
        workshop.pause(id).await.unwrap();
        is_paused(&workshop, id).await;
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    is_paused(&workshop, over).await;
    workshop.resume(over).await.unwrap();
    assert_eq!(workshop.ended(over).await.state, "succeeded");
    workshop.resume(not_over).await.unwrap();
    workshop.reaches(not_over, "sleeping").await;
    workshop.check(not_over).await;
    engine.stop().await;
}

#[tokio::test]
async fn one_that_waits_for_its_next_attempt_is_paused_and_tried_when_it_is_resumed() {
    let workshop = Workshop::new().await;
    let retry =
        json!({ "retry": { "attempts_max": 3, "initial_delay": "3600s", "delay_max": "3600s" } });
    let path = "/flaky?fail=1&retry_after=3600";
    let action = workshop.action_with("pure", path, json!({}), retry).await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/flaky", 1).await;
    let delayed = async || workshop.place(id).await.0 == "delayed";
    until("the delay", Duration::from_secs(5), delayed).await;
    workshop.pause(id).await.unwrap();
    is_paused(&workshop, id).await;
    workshop.resume(id).await.unwrap();
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    engine.stop().await;
}

#[tokio::test]
async fn one_that_is_resumed_still_does_not_begin_before_its_time() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let later = Clock::System.now() + chrono::TimeDelta::hours(1);
    let new = workshop.new_execution(agent, json!({}));
    let id = workshop.start_as(NewExecution { not_before: Some(later), ..new }).await;
    let engine = workshop.engine(quick());
    workshop.pause(id).await.unwrap();
    workshop.resume(id).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(workshop.place(id).await.0, "delayed");
    assert!(workshop.remote.requests().is_empty());
    workshop.check(id).await;
    engine.stop().await;
}

#[tokio::test]
async fn one_that_is_paused_can_be_cancelled() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.pause(id).await.unwrap();
    workshop.cancel(id, "enough").await.unwrap();
    let ended = workshop.ended(id).await;
    assert_eq!((ended.state.as_str(), ended.message.as_deref()), ("cancelled", Some("enough")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_and_resuming_at_any_moment_repeats_nothing_and_leaves_no_gap() {
    let workshop = Workshop::new().await;
    let agent = workshop.chain(&["/slow?ms=15", "/slow?ms=15", "/slow?ms=15"]).await;
    let engines = [workshop.engine(quick()), workshop.engine(quick())];
    let mut ids = Vec::new();
    for number in 0..24 {
        let id = workshop.start(agent, json!({})).await;
        for round in 0..3 {
            tokio::time::sleep(Duration::from_millis((number * 7 + round * 5) % 40)).await;
            for done in [workshop.pause(id).await, workshop.resume(id).await] {
                if let Err(error) = done {
                    assert_eq!(error.kind().1, Reason::ExecutionState);
                }
            }
        }
        ids.push(id);
    }
    for id in &ids {
        assert_eq!(workshop.ended(*id).await.state, "succeeded");
    }
    assert_eq!(workshop.remote.requests_to("/slow").len(), 3 * ids.len());
    for engine in engines {
        engine.stop().await;
    }
}
