//! A worker that is frozen past its lease and then goes on: it must find that it may write nothing.

use super::ledger::{self, Clocks};
use freehold_tests::{process::Processes, remote::Remote, settings::Settings};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_wakes_up_after_its_lease_changes_nothing() {
    let clocks = Clocks::read();
    let remote = Remote::start().await;
    let runtime = [("LEASE_TTL", "1s"), ("SWEEP_INTERVAL", "100ms"), ("HTTP_ALLOW", "127.0.0.0/8")];
    let runtime = runtime.map(|(name, value)| (name, value.to_owned())).to_vec();
    let settings = Settings { runtime, ..Settings::default() };
    let mut processes = Processes::start(2, settings).await;
    let org = processes.organization().await;
    let http = json!({ "method": "POST", "url": remote.url("/slow?ms=700") });
    let action =
        org.action_with(json!({ "http": http, "side_effect": "SIDE_EFFECT_IDEMPOTENT" })).await;
    let call = |key: &str| json!({ "step_key": key, "core_action_id": action });
    let calls = json!([call("one"), call("two")]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let root = processes.database.superuser();

    for number in 0..6 {
        org.start(&agent, json!({ "n": number })).await;
    }
    let give_up = Instant::now() + Duration::from_secs(10);
    while remote.requests().len() < 6 {
        assert!(Instant::now() < give_up, "nobody works");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Its calls are under way; their answers will wait in its sockets.
    processes.runtimes[0].stop();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    processes.runtimes[0].cont();
    let give_up = Instant::now() + Duration::from_mins(1);
    loop {
        let left: i64 = sqlx::query_scalar(
            "select count(*) from runtime.agent_executions where finished_at is null",
        )
        .fetch_one(&root)
        .await
        .unwrap();
        if left == 0 {
            break;
        }
        assert!(Instant::now() < give_up, "{left} executions do not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What the frozen one may still want to write would come now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    ledger::executions_are_whole(&root, 6).await;
    ledger::no_finished_step_was_repeated(&root, &remote, &clocks, 12).await;
    let taken: i64 = sqlx::query_scalar(
        "select count(*) from runtime.execution_events where event_type = 'execution_resumed'",
    )
    .fetch_one(&root)
    .await
    .unwrap();
    assert!(taken > 0, "nothing was taken over");
    for process in &mut processes.runtimes {
        assert!(process.is_running());
    }
}
