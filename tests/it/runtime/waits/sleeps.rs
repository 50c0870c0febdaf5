//! Executions that sleep.

use crate::runtime::workshop::{Workshop, quick};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use shared_db::{clock::Clock, ids::AgentId};

async fn sleeper_until_told(workshop: &Workshop) -> AgentId {
    let nap = json!({ "step_key": "nap", "sleep": {}, "input": { "until": "{{ input.until }}" } });
    workshop.agent(json!([nap])).await
}

#[tokio::test]
async fn a_time_is_waited_for_by_the_clock_of_the_database_alone() {
    let workshop = Workshop::new().await;
    let agent = sleeper_until_told(&workshop).await;
    let engine = workshop.engine(quick());
    let until = Clock::System.now() + TimeDelta::hours(3);
    let id = workshop.start(agent, json!({ "until": until.to_rfc3339() })).await;
    workshop.reaches(id, "sleeping").await;
    let asked: DateTime<Utc> = sqlx::query_scalar(
        "select wait_until from runtime.execution_steps where execution_id = $1",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap();
    // To the microsecond: what a clock of the process had a part in would be off by what it differs, and by the way to the database.
    assert_eq!(asked.timestamp_micros(), until.timestamp_micros());
    let past = workshop.start(agent, json!({ "until": "2020-01-01T00:00:00+01:00" })).await;
    assert_eq!(workshop.ended(past).await.state, "succeeded");
    engine.stop().await;
}

#[tokio::test]
async fn a_step_that_waits_and_is_asked_for_with_another_input_fails_the_execution() {
    let workshop = Workshop::new().await;
    let agent = workshop.sleeper("3600s").await;
    let engine = workshop.engine(quick());
    let id = workshop.start(agent, json!({})).await;
    workshop.reaches(id, "sleeping").await;
    sqlx::query("update runtime.execution_steps set input_hash = $2 where execution_id = $1")
        .bind(id.0)
        .bind(vec![7_u8; 32])
        .execute(&workshop.root)
        .await
        .unwrap();
    assert!(workshop.nudge(id).await);
    let ended = workshop.ended(id).await;
    assert_eq!(ended.reason.as_deref(), Some("STEP_INPUT_CHANGED"));
    assert_eq!(ended.step_key.as_deref(), Some("nap"));
    engine.stop().await;
}
