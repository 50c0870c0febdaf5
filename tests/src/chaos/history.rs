//! All that is known when a run is over: from callers, from the tables, from the remote, and from whoever broke things.

mod calls;
mod tables;

pub use calls::{Call, read as read_calls};
pub use tables::{Event, Execution, Step, Tables, read as read_tables};

use super::{
    Bounds,
    clocks::{Time, delta},
    fault::Struck,
    load::{Asked, Kind, StepShape, parent},
    pulse::Stall,
    world::Exit,
};
use chrono::TimeDelta;
use std::{collections::BTreeMap, time::Duration};

#[derive(Clone, Debug)]
pub struct History {
    pub bounds: Bounds,
    pub asked: Vec<Asked>,
    pub tables: Tables,
    pub calls: Vec<Call>,
    pub struck: Vec<Struck>,
    pub exits: Vec<Exit>,
    pub stalls: Vec<Stall>,
}

/// What became of one attempt to call the remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Succeeded,
    Refused,
    /// The caller was gone before the answer, or the remote reset the connection.
    Unanswered,
}

/// What was to be expected of each run.
#[derive(Debug)]
pub struct Kinds<'a>(BTreeMap<&'a str, Kind>);

impl Kinds<'_> {
    pub fn of(&self, run: &str) -> Option<Kind> {
        let asked = self.0.get(run).copied();
        asked.or_else(|| parent(run).and_then(|it| self.0.get(it)).map(|_| Kind::Child))
    }

    /// Whether it is right that this run has ended so. A child is cancelled with its parent, and never else.
    pub fn may_end(&self, run: &str, state: &str) -> bool {
        let parents = parent(run).and_then(|it| self.of(it));
        let alone = parents == Some(Kind::Family) && state != "succeeded";
        !alone && self.of(run).is_none_or(|it| it.may_end(state))
    }

    /// The call that a step of a run makes, if it makes one.
    pub fn step(&self, run: &str, key: &str) -> Option<&'static StepShape> {
        self.of(run)?.steps().iter().find(|it| it.key == key)
    }
}

impl History {
    /// The calls of each step of each execution, in the order in which they came.
    pub fn calls_by_step(&self) -> BTreeMap<(&str, &str), Vec<&Call>> {
        let mut steps: BTreeMap<_, Vec<&Call>> = BTreeMap::new();
        for call in &self.calls {
            steps.entry((call.run.as_str(), call.step.as_str())).or_default().push(call);
        }
        for calls in steps.values_mut() {
            calls.sort_by_key(|it| it.at);
        }
        steps
    }

    /// The kind of every run that was asked for, and of their children.
    pub fn kinds(&self) -> Kinds<'_> {
        Kinds(self.asked.iter().map(|it| (it.run.as_str(), it.kind)).collect())
    }

    pub fn executions_by_run(&self) -> BTreeMap<&str, &Execution> {
        self.tables.executions.iter().map(|it| (it.run.as_str(), it)).collect()
    }

    /// For how long the machine stood still between two times: nobody can be blamed for that.
    pub fn stood_still(&self, from: Time, to: Time) -> TimeDelta {
        let within =
            self.stalls.iter().filter(|it| from <= it.at + delta(it.lasted) && it.at <= to);
        delta(within.map(|it| it.lasted).sum::<Duration>())
    }
}
