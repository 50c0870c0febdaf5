//! Time limits, with workers and without.

use super::workshop::{Workshop, limits, quick};
use runtime_service::{engine::EngineConfig, store::executions::Limits};
use serde_json::json;
use shared_db::ids::WorkerId;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn one_that_nobody_begins_fails_with_its_queue_limit() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start_limited(agent, Limits { queue: SOON, ..limits() }).await;
    // Every worker is busy for ever; the sweepers of any replica still work.
    let engine = workshop.engine(EngineConfig { worker_concurrency: 0, ..quick() });
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("TIME_LIMIT"));
    assert!(standing.message.unwrap().contains("queue limit"));
    engine.stop().await;
}

#[tokio::test]
async fn the_queue_limit_counts_from_when_it_may_begin() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let mut new = workshop.new_execution(agent, json!({}));
    new.limits = Limits { queue: SOON, ..limits() };
    new.not_before = Some(shared_db::clock::Clock::System.now() + chrono::TimeDelta::seconds(1));
    let engine = workshop.engine(quick());
    let began = Instant::now();
    let id = workshop.start_as(new).await;
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    assert!(began.elapsed() > Duration::from_millis(900));
    engine.stop().await;
}

#[tokio::test]
async fn a_turn_that_takes_too_long_fails_with_its_attempt_limit() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/hang").await;
    let id = workshop.start_limited(agent, Limits { attempt: SOON, ..limits() }).await;
    let engine =
        workshop.engine(EngineConfig { sweep_interval: Duration::from_mins(1), ..quick() });
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("TIME_LIMIT"));
    assert!(standing.message.unwrap().contains("attempt limit"));
    assert_eq!(standing.step_key.as_deref(), Some("only"));
    engine.stop().await;
}

#[tokio::test]
async fn retries_end_with_the_total_limit() {
    let workshop = Workshop::new().await;
    let retry =
        json!({ "retry": { "attempts_max": 100, "initial_delay": "3600s", "delay_max": "3600s" } });
    let action =
        workshop.action_with("pure", "/status/503?retry_after=3600", json!({}), retry).await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    let total = Duration::from_millis(800);
    let id = workshop.start_limited(agent, Limits { total, ..limits() }).await;
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("TIME_LIMIT"));
    assert!(standing.message.unwrap().contains("total limit"));
    engine.stop().await;
}

#[tokio::test]
async fn limits_are_kept_when_every_worker_is_dead() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let attempt = workshop.start_limited(agent, Limits { attempt: SOON, ..limits() }).await;
    let total = workshop.start_limited(agent, Limits { total: SOON, ..limits() }).await;
    let long = Duration::from_mins(10);
    assert_eq!(workshop.claim(WorkerId::generate(), long, 2).await.len(), 2);
    // Two sweepers at the same rows end each of them once.
    let config = EngineConfig { worker_concurrency: 0, ..quick() };
    let (one, two) = (workshop.engine(config.clone()), workshop.engine(config));
    for id in [attempt, total] {
        assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("TIME_LIMIT"));
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn what_is_past_its_limits_is_not_claimed() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let now = Duration::from_millis(1);
    workshop.start_limited(agent, Limits { total: now, ..limits() }).await;
    workshop.start_limited(agent, Limits { queue: now, ..limits() }).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(workshop.claim(WorkerId::generate(), SOON, 9).await.is_empty());
}
