//! A process that is frozen past its lease and then goes on: it must find that it may write nothing.

use super::short::{Short, run};
use freehold_tests::chaos::{
    fault::{Fault, Victim},
    schedule::Act,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_wakes_up_after_its_lease_changes_nothing() {
    let acts = vec![
        Act::new(1500, Fault::Freeze(Victim::Runtime(0)), 2600),
        Act::new(1000, Fault::Freeze(Victim::Web(1)), 700),
        Act::new(1000, Fault::Freeze(Victim::Runtime(2)), 2600),
    ];
    let outcome = run(Short { acts, per_second: 5.0, slowness: 3, ..Short::default() }).await;
    let executions = outcome.history.tables.executions.iter();
    let resumed = executions.flat_map(|it| &it.events).filter(|it| it.kind == "execution_resumed");
    assert!(0 < resumed.count(), "nothing was taken over");
}
