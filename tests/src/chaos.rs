//! Faults on the real binaries: replicas of both services under load, a seeded schedule of what goes wrong, and a reckoning
//! from the tables, from the remote's log and from what callers and watchers were told.
//!
//! - [`schedule`] says what happens when; [`fault`] what there is;
//! - [`world`] is what it happens to, and its `strike` does it;
//! - [`load`] asks for work meanwhile, as careful callers do;
//! - [`history`] is all that is known afterwards, and [`checks`] are what must be true of it;
//! - [`report`] says so in words.
//!
//! Nothing here knows how the engine works: only the contract, the names of the tables and what a remote can see.

pub mod checks;
pub mod clocks;
pub mod fault;
pub mod history;
pub mod load;
mod pulse;
pub mod report;
pub mod run;
pub mod schedule;
pub mod world;

pub use run::{Outcome, run};

use schedule::Act;
use std::{env, time::Duration};

/// Repeats a run: the number that an earlier one has printed.
pub const SEED_VARIABLE: &str = "FREEHOLD_TEST_SEED";

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Form {
    pub seed: u64,
    pub acts: Vec<Act>,
    pub load: load::Load,
    pub bounds: Bounds,
    /// The server is one that may be stopped and filled up.
    pub own_server: Option<OwnServer>,
    /// The last replica of each service has a clock that is ten minutes ahead, and the one before it one that is as much behind.
    pub skewed: bool,
    /// What a superuser does before anything is asked for, to take a protection away.
    pub sabotage: Vec<&'static str>,
}

/// Where the database is, when it is not among the other tests'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnServer {
    /// The server of [`crate::database::CLUSTER_VARIABLE`] itself.
    Given,
    /// One that is made beside it, and removed.
    Made,
}

/// What is promised.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub lease: Duration,
    /// Executions that a replica does at a time.
    pub slots: usize,
    /// Work of a killed process is taken up within the lease and this.
    pub after_kill: Duration,
    /// Work of a process that was asked to stop is taken up within this.
    pub after_stop: Duration,
    /// After a fault of the database or of the way to it, work flows again within this.
    pub back_within: Duration,
    /// For how long the flow is measured, before the fault and after.
    pub measured_for: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            lease: Duration::from_millis(1500),
            slots: 8,
            after_kill: Duration::from_secs(1),
            after_stop: Duration::from_secs(1),
            back_within: Duration::from_secs(10),
            measured_for: Duration::from_secs(3),
        }
    }
}

/// The seed of a run: one that was asked for, or a new one. It is printed, so that the run can be repeated.
pub fn seed() -> u64 {
    let given = env::var(SEED_VARIABLE).ok().and_then(|it| it.parse().ok());
    let seed = given.unwrap_or_else(rand::random);
    eprintln!("{SEED_VARIABLE}={seed}");
    seed
}
