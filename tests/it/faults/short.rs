//! What the short forms have in common.

use freehold_tests::chaos::{
    self, Bounds, Form, Outcome, OwnServer,
    load::{Kind, Load},
    report,
    schedule::Act,
};
use std::time::Duration;
use tokio::sync::Mutex;

/// One at a time: what is measured here is time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What has lost its protection may never come to an end, and nothing is promised of it.
const PATIENCE_WITHOUT_PROTECTION: Duration = Duration::from_secs(15);

/// What the short forms differ in.
pub(super) struct Short {
    pub(super) acts: Vec<Act>,
    /// What two cores do in a debug build with room to spare: how soon somebody goes on is measured, and not how busy the machine is.
    pub(super) per_second: f64,
    pub(super) slowness: u64,
    /// If there are any, only these are asked for.
    pub(super) kinds: Vec<(Kind, u32)>,
    pub(super) sabotage: Vec<&'static str>,
    pub(super) own_server: Option<OwnServer>,
    pub(super) bounds: Bounds,
}

impl Default for Short {
    fn default() -> Self {
        let bounds = Bounds::default();
        Self {
            acts: Vec::new(),
            per_second: 8.0,
            slowness: 1,
            kinds: Vec::new(),
            sabotage: Vec::new(),
            own_server: None,
            bounds,
        }
    }
}

/// Runs it and expects that every check is content.
pub(super) async fn run(short: Short) -> Outcome {
    let outcome = play(short).await;
    let findings = outcome.findings();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    outcome
}

/// Runs it, whatever comes of it.
pub(super) async fn play(short: Short) -> Outcome {
    let _alone = ALONE.lock().await;
    let mut load =
        Load { organizations: 2, slowness: short.slowness, ..Load::of(short.per_second) };
    if !short.sabotage.is_empty() {
        load.patience = PATIENCE_WITHOUT_PROTECTION;
    }
    if !short.kinds.is_empty() {
        load.kinds = short.kinds;
    }
    let form = Form {
        seed: chaos::seed(),
        acts: short.acts,
        load,
        bounds: short.bounds,
        own_server: short.own_server,
        skewed: true,
        sabotage: short.sabotage,
    };
    let outcome = chaos::run(form).await.unwrap();
    eprintln!("{}", report::text(&outcome.history));
    outcome
}
