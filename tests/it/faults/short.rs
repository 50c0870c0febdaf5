//! What the short forms have in common.

use freehold_tests::chaos::{
    self, Bounds, Form, Outcome, OwnServer, load::Load, report, schedule::Act,
};
use tokio::sync::Mutex;

/// One at a time: what is measured here is time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What the short forms differ in.
pub(super) struct Short {
    pub(super) acts: Vec<Act>,
    /// What two cores do in a debug build with room to spare: how soon somebody goes on is measured, and not how busy the machine is.
    pub(super) per_second: f64,
    pub(super) slowness: u64,
    pub(super) own_server: Option<OwnServer>,
    pub(super) bounds: Bounds,
}

impl Default for Short {
    fn default() -> Self {
        let bounds = Bounds::default();
        Self { acts: Vec::new(), per_second: 8.0, slowness: 1, own_server: None, bounds }
    }
}

/// Runs it and expects that every check is content.
pub(super) async fn run(short: Short) -> Outcome {
    let _alone = ALONE.lock().await;
    let form = Form {
        seed: chaos::seed(),
        acts: short.acts,
        load: Load { organizations: 2, slowness: short.slowness, ..Load::of(short.per_second) },
        bounds: short.bounds,
        own_server: short.own_server,
        skewed: true,
    };
    let seed = form.seed;
    let outcome = chaos::run(form).await.unwrap();
    let report = report::text(&outcome.history);
    assert!(outcome.findings().is_empty(), "{report}\n{}={seed}", chaos::SEED_VARIABLE);
    eprintln!("{report}");
    outcome
}
