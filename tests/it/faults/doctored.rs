//! Checks that cannot fail prove nothing: each is shown a history in which what it looks for has happened.
//!
//! One run that is well is the base. What is wrong is then written into its tables by a superuser, in a transaction that is rolled
//! back, or into the log of the remote and what callers were told.

mod logs;
mod tables;

use super::short::{Short, run};
use chrono::TimeDelta;
use freehold_tests::{
    chaos::{
        Bounds, Outcome,
        checks::{self, findings, flow, overlapping, takeovers},
        fault::{Fault, Victim},
        history::{History, read_tables},
        schedule::Act,
    },
    proxy::Wire,
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// Every worker is killed, so that there is something to take up, and a fault of the database around which the flow can be measured.
async fn base() -> Outcome {
    let acts = vec![
        // By then calls are under way also where the first executions are slow to begin.
        Act::new(3000, Fault::Kill(Victim::Runtime(0)), 0),
        Act::new(0, Fault::Kill(Victim::Runtime(1)), 0),
        Act::new(0, Fault::Kill(Victim::Runtime(2)), 0),
        Act::new(11_000, Fault::AllWires(Wire::Deaf), 200),
    ];
    // For as long as it is measured otherwise: of the few that are asked for in a second, once in twenty none is of the kinds that count.
    let bounds = Bounds { back_within: Duration::from_millis(500), ..Bounds::default() };
    // Three processes that begin anew at once, each statement new to each of their connections, are all that two cores can do for a second
    // or two. So that this still leaves something when they die, less is asked for, and each call is longer.
    run(Short { acts, per_second: 6.0, slowness: 3, bounds, ..Short::default() }).await
}

/// What the check of this name finds.
fn found(history: &History, name: &str) -> Vec<String> {
    let (_, check) = checks::ALL.iter().find(|(it, _)| *it == name).expect("it is a check");
    check(history)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_finds_what_it_looks_for() {
    let mut outcome = base().await;
    let sound = outcome.history.clone();
    assert_eq!(findings(&sound), []);
    assert!(!takeovers(&sound).is_empty(), "the kill must have left something");
    flow(&sound, sound.struck.last().unwrap()).expect("the flow must be measured");

    let mut shown = BTreeSet::new();
    for (check, what, statements) in tables::CASES {
        let history = with_statements(&outcome, statements).await;
        assert!(!found(&history, check).is_empty(), "{check:?} does not notice: {what}");
        shown.insert(check);
    }
    for (check, what, edit) in logs::CASES {
        let mut history = sound.clone();
        edit(&mut history);
        assert!(!found(&history, check).is_empty(), "{check:?} does not notice: {what}");
        shown.insert(check);
    }
    let all: BTreeSet<_> = checks::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(shown, all, "a check has no case");

    // And two for real.
    a_process_that_ends_is_noticed(&mut outcome).await;
    what_is_left_in_the_queue_is_noticed(&outcome).await;
}

/// The history as it would be if these statements had been part of it.
async fn with_statements(outcome: &Outcome, statements: &[&'static str]) -> History {
    let mut tx = outcome.world.root.begin().await.unwrap();
    for statement in statements {
        let done = sqlx::query(*statement).execute(&mut *tx).await;
        let done = done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert!(0 < done.rows_affected(), "{statement}");
    }
    let tables = read_tables(&mut tx).await.unwrap();
    tx.rollback().await.unwrap();
    History { tables, ..outcome.history.clone() }
}

async fn a_process_that_ends_is_noticed(outcome: &mut Outcome) {
    outcome.world.processes.runtimes[1].kill9();
    outcome.world.rest(Duration::from_millis(200)).await;
    let history = History { exits: outcome.world.exits.clone(), ..outcome.history.clone() };
    assert_eq!(found(&history, "services stay up").len(), 1);
    outcome.world.heal().await;
}

async fn what_is_left_in_the_queue_is_noticed(outcome: &Outcome) {
    let org = outcome.world.processes.organization().await;
    let agent = org.agent(&[&outcome.world.remote.url("/echo")]).await;
    let later = freehold_tests::chaos::clocks::now() + TimeDelta::hours(1);
    let request =
        json!({ "agent_id": agent, "request_id": "later", "not_before": later.to_rfc3339() });
    org.developer().call("ExecutionService/StartExecution", request).await.unwrap();
    let mut conn = outcome.world.root.acquire().await.unwrap();
    let tables = read_tables(&mut conn).await.unwrap();
    let history = History { tables, ..outcome.history.clone() };
    assert_eq!(found(&history, "nothing is held").len(), 1);
}

#[test]
fn a_cap_is_what_the_remote_sees_at_one_time() {
    // Of three calls two overlap, and the third begins in the moment in which the second ends.
    let calls: Vec<_> = [(0, 100), (50, 150), (150, 200)].map(|it| logs::call("1-0", it)).into();
    assert_eq!(overlapping(&calls), 2);
}
