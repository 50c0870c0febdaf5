//! What the short forms have in common.

use freehold_tests::chaos::{
    self, Bounds, Form, Outcome, OwnServer,
    checks::{OF_TIME, findings},
    load::Load,
    report,
    schedule::Act,
};
use tokio::sync::Mutex;

/// One at a time: what is measured here is time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What the short forms differ in.
pub(super) struct Short {
    pub(super) acts: Vec<Act>,
    pub(super) per_second: f64,
    pub(super) own_server: Option<OwnServer>,
    pub(super) bounds: Bounds,
}

impl Default for Short {
    fn default() -> Self {
        let bounds = Bounds::default();
        Self { acts: Vec::new(), per_second: 8.0, own_server: None, bounds }
    }
}

/// How often a run is given another chance to be quick. What is slow by itself is slow each time.
const RUNS_MAX: usize = 3;

/// Runs it and expects that every check is content. What is lost, done twice or left over fails the first run; what was late must be
/// in time in one of three.
pub(super) async fn run(short: Short) -> Outcome {
    let _alone = ALONE.lock().await;
    let form = Form {
        seed: chaos::seed(),
        acts: short.acts,
        load: Load { organizations: 2, ..Load::of(short.per_second) },
        bounds: short.bounds,
        own_server: short.own_server,
        skewed: true,
    };
    let seed = form.seed;
    for run in 1.. {
        let outcome = chaos::run(form.clone()).await.unwrap();
        let report = report::text(&outcome.history);
        let found = findings(&outcome.history);
        if found.is_empty() {
            eprintln!("{report}");
            return outcome;
        }
        let late = found.iter().all(|(check, _)| OF_TIME.contains(check));
        assert!(late && run < RUNS_MAX, "{report}\n{}={seed}", chaos::SEED_VARIABLE);
        eprintln!("{report}\nlate: run {run} of {RUNS_MAX} does not count");
    }
    unreachable!("the last run returns or panics")
}
