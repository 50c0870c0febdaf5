//! `kill -9` of any process at any moment loses nothing and repeats nothing.

use super::ledger::{self, Clocks};
use freehold_tests::{org::Org, process::Processes, remote::Remote, settings::Settings};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::time::Instant;
use tonic::Code;

const EXECUTIONS: usize = 50;
const STEPS: usize = 4;
const PATIENCE: Duration = Duration::from_mins(4);

/// Leases short enough that a test can wait for them, and hands few enough that the work lasts a while.
fn settings() -> Settings {
    let runtime = [
        ("LEASE_TTL", "1500ms"),
        ("SWEEP_INTERVAL", "100ms"),
        ("WORKER_CONCURRENCY", "4"),
        // The killer below is more diligent than any fate.
        ("LOST_LEASES_MAX", "1000"),
        ("HTTP_ALLOW", "127.0.0.0/8"),
    ];
    Settings {
        runtime: runtime.map(|(name, value)| (name, value.to_owned())).to_vec(),
        ..Settings::default()
    }
}

/// The seed of this run. Set `FREEHOLD_TEST_SEED` to the one that a failure names to see it again.
fn seed() -> u64 {
    let given = env::var("FREEHOLD_TEST_SEED").ok().and_then(|it| it.parse().ok());
    given.unwrap_or_else(rand::random)
}

/// An agent of several calls, each of which takes its time and knows its key.
async fn agent(org: &Org, remote: &Remote) -> String {
    let mut calls = Vec::new();
    for step in 0..STEPS {
        let http = json!({ "method": "POST", "url": remote.url(&format!("/slow?ms={}", 100 + 40 * step)) });
        let retry = json!({ "attempts_max": 100, "initial_delay": "0.1s", "delay_max": "0.5s" });
        let fields =
            json!({ "http": http, "side_effect": "SIDE_EFFECT_IDEMPOTENT", "retry": retry });
        let action = org.action_with(fields).await;
        calls.push(json!({ "step_key": format!("step-{step}"), "core_action_id": action }));
    }
    org.agent_with(json!({ "endpoint": { "calls": calls } })).await
}

/// Starts an execution as a careful caller does: again, under the same request id, until it is answered.
async fn start(org: &Org, agent: &str, number: usize) -> String {
    let request = json!({ "agent_id": agent, "input": { "n": number }, "request_id": format!("run-{number}") });
    loop {
        match org.developer().call("ExecutionService/StartExecution", request.clone()).await {
            Ok(execution) => return execution["id"].as_str().unwrap().to_owned(),
            Err(status) => {
                let passing = [
                    Code::Unavailable,
                    Code::Aborted,
                    Code::DeadlineExceeded,
                    Code::Cancelled,
                    Code::Unknown,
                ];
                assert!(passing.contains(&status.code()), "{status:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn unfinished(root: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from runtime.agent_executions where finished_at is null")
        .fetch_one(root)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_any_process_at_any_moment_loses_nothing_and_repeats_nothing() {
    let seed = seed();
    eprintln!("FREEHOLD_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let clocks = Clocks::read();
    let remote = Remote::start().await;
    let mut processes = Processes::start(2, settings()).await;
    let org = processes.organization().await;
    let agent = agent(&org, &remote).await;
    let root = processes.database.superuser();

    let started = AtomicUsize::new(0);
    let starting = async {
        let mut ids = Vec::new();
        for number in 0..EXECUTIONS {
            ids.push(start(&org, &agent, number).await);
            started.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        ids
    };
    let killing = async {
        let mut kills = 0;
        let give_up = Instant::now() + PATIENCE;
        loop {
            tokio::time::sleep(Duration::from_millis(random.random_range(150..700))).await;
            if started.load(Ordering::Relaxed) == EXECUTIONS && unfinished(&root).await == 0 {
                return kills;
            }
            assert!(
                Instant::now() < give_up,
                "{} executions do not end; seed {seed}",
                unfinished(&root).await
            );
            let victim = match random.random_range(0..5) {
                0 => &mut processes.web,
                other => &mut processes.runtimes[other % 2],
            };
            victim.restart();
            kills += 1;
        }
    };
    let (mut ids, kills) = tokio::join!(starting, killing);
    eprintln!("{kills} processes were killed");
    assert!(kills > 5, "the work was done before anybody was killed");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), EXECUTIONS);

    ledger::executions_are_whole(&root, EXECUTIONS).await;
    ledger::no_finished_step_was_repeated(&root, &remote, &clocks, EXECUTIONS * STEPS).await;
    processes.web.until_serving().await;
    as_callers_see_it(&org, &ids).await;
}

/// The events as they are watched, from a few executions.
async fn as_callers_see_it(org: &Org, ids: &[String]) {
    for id in &ids[..5] {
        let events = org.watch(id).await;
        let seqs: Vec<i64> =
            events.iter().map(|it| it["seq"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(seqs, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
        let last: &Value = &events[events.len() - 1]["type"];
        assert_eq!(last, "EVENT_TYPE_EXECUTION_SUCCEEDED");
    }
}
