//! Wires that delay, starve, break and go deaf, commits that come late, and a remote in every mood, on clocks that differ.

use super::short::{Short, run};
use freehold_tests::{
    chaos::{
        fault::{Fault, Victim},
        schedule::Act,
    },
    proxy::Wire,
    remote::Mood,
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_wires_late_commits_and_a_moody_remote_lose_nothing() {
    let acts = vec![
        Act::new(500, Fault::AllWires(Wire::Late(Duration::from_millis(60))), 1200),
        Act::new(500, Fault::AllWires(Wire::Deaf), 1000),
        Act::new(500, Fault::OneWire(Victim::Runtime(0), Wire::Trickle), 1200),
        Act::new(500, Fault::OneWire(Victim::Runtime(1), Wire::Silent), 2500),
        Act::new(500, Fault::OneWire(Victim::Web(0), Wire::Silent), 800),
        Act::new(500, Fault::AllWires(Wire::Reset), 500),
        Act::new(1000, Fault::LateCommits, 2000),
        Act::new(500, Fault::Remote(Mood::Slow), 800),
        Act::new(500, Fault::Remote(Mood::Failing), 1000),
        Act::new(500, Fault::Remote(Mood::Resetting), 1000),
        Act::new(500, Fault::Remote(Mood::Hanging), 500),
    ];
    let outcome = run(Short { acts, ..Short::default() }).await;
    if outcome.world.skewed {
        // A web-service draws the ids, and its clock is in them: one is ten minutes ahead, the other as much behind.
        let ids = outcome.history.tables.executions.iter().filter_map(|it| it.id.get_timestamp());
        let minute = |at: uuid::Timestamp| at.to_unix().0 / 60;
        let minutes: Vec<_> = ids.map(minute).collect();
        let (first, last) = (minutes.iter().min(), minutes.iter().max());
        assert!(first.zip(last).is_some_and(|(first, last)| first + 18 < *last), "clocks agree");
    }
}
