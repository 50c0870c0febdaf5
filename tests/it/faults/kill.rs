//! `kill -9` of any process at any moment loses nothing and repeats nothing, and what it leaves is soon taken up.

use super::short::{Short, run};
use freehold_tests::chaos::{
    checks::takeovers,
    fault::{Fault, Victim},
    schedule::Act,
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_any_process_at_any_moment_loses_nothing_and_repeats_nothing() {
    let storm = Fault::Storm(Duration::from_millis(600));
    let acts = vec![Act::new(500, storm, 8000)];
    let outcome = run(Short { acts, per_second: 5.0, slowness: 3, ..Short::default() }).await;
    assert!(outcome.history.struck.len() > 8, "{} kills", outcome.history.struck.len());
    assert!(!takeovers(&outcome.history).is_empty(), "nobody was killed at work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_a_process_that_ends_goes_on_elsewhere() {
    let acts = vec![
        Act::new(2500, Fault::Kill(Victim::Runtime(0)), 0),
        Act::new(0, Fault::Kill(Victim::Runtime(1)), 0),
        Act::new(3500, Fault::Kill(Victim::Runtime(2)), 0),
        Act::new(3500, Fault::Stop(Victim::Runtime(0)), 0),
        Act::new(0, Fault::Stop(Victim::Runtime(1)), 0),
        Act::new(500, Fault::Stop(Victim::Web(0)), 0),
        Act::new(1000, Fault::Stop(Victim::Runtime(2)), 0),
        // What a stop waits for is not left: by chance that may be all that is under way, so there are more of them.
        Act::new(1500, Fault::Stop(Victim::Runtime(1)), 0),
        Act::new(1500, Fault::Stop(Victim::Runtime(0)), 0),
        Act::new(1500, Fault::Stop(Victim::Runtime(2)), 0),
    ];
    let outcome = run(Short { acts, per_second: 5.0, slowness: 3, ..Short::default() }).await;
    let all = takeovers(&outcome.history);
    let left = |it: fn(Fault) -> bool| all.iter().filter(|taken| it(taken.fault.fault)).count();
    assert!(0 < left(|it| matches!(it, Fault::Kill(_))), "nothing was under way at the kill");
    assert!(0 < left(|it| matches!(it, Fault::Stop(_))), "nothing was under way at the stops");
}
