//! All that is known when a run is over: from callers, from the tables, from the remote, and from whoever broke things.

mod calls;
mod tables;

pub use calls::{Call, read as read_calls};
pub use tables::{Event, Execution, Step, Tables, read as read_tables};

use super::{
    Bounds,
    clocks::{Time, delta},
    fault::Struck,
    load::Asked,
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
