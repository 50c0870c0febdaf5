//! The shapes of the executions. A new one is a variant here, its steps and how it may end.

use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

/// What those who wait are signalled.
pub(super) const SIGNAL: &str = "go";
/// Stands in the name of a child, after that of its parent.
const CHILD_MARK: &str = ".child-";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Three calls, one after the other.
    Steps,
    /// Its first call is refused twice.
    Retried,
    /// Begins some time after it was asked for.
    Delayed,
    /// Calls that only read, and carry no key.
    Reads,
    /// A call that must not be repeated.
    Once,
    /// Somebody asks it to stop.
    Cancelled,
    /// Starts children, and goes on when they have ended.
    Family,
    /// The same, and somebody asks it to stop: so are its children.
    Dissolved,
    /// One of those children; their parent starts them.
    Child,
    /// Sleeps, waits for a signal, asks a question, and then calls.
    Waits,
    /// Of these, no more than [`CAP`] of an organization are done at a time.
    Capped,
    /// One long call, to see how many are done at a time.
    Probe,
}

/// How many executions of a [`Kind::Capped`] agent may be done at a time.
pub const CAP: usize = 2;

/// One call of the remote.
#[derive(Clone, Copy, Debug)]
pub struct StepShape {
    pub key: &'static str,
    pub ms: u64,
    /// How often it is refused first.
    pub fail: u64,
    pub effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Pure,
    Idempotent,
    AtMostOnce,
}

const fn step(key: &'static str, ms: u64) -> StepShape {
    StepShape { key, ms, fail: 0, effect: Effect::Idempotent }
}

const STEPS: [StepShape; 3] = [step("one", 100), step("two", 200), step("three", 300)];
const RETRIED: [StepShape; 2] = [StepShape { fail: 2, ..step("one", 20) }, step("two", 40)];
const DELAYED: [StepShape; 1] = [step("one", 50)];
const READS: [StepShape; 2] = [
    StepShape { effect: Effect::Pure, ..step("one", 40) },
    StepShape { effect: Effect::Pure, ..step("two", 40) },
];
const ONCE: [StepShape; 1] = [StepShape { effect: Effect::AtMostOnce, ..step("one", 80) }];
const CANCELLED: [StepShape; 3] = [step("one", 200), step("two", 200), step("three", 200)];
const AFTER: [StepShape; 1] = [step("after", 50)];
const CHILD: [StepShape; 2] = [step("one", 80), step("two", 120)];
const CAPPED: [StepShape; 1] = [step("one", 60)];
const PROBE: [StepShape; 1] = [step("one", 1500)];

impl Kind {
    /// Children come before those who start them.
    pub const ALL: [Self; 12] = [
        Self::Child,
        Self::Steps,
        Self::Retried,
        Self::Delayed,
        Self::Reads,
        Self::Once,
        Self::Cancelled,
        Self::Family,
        Self::Dissolved,
        Self::Waits,
        Self::Capped,
        Self::Probe,
    ];

    /// How often it is asked for, beside the others. Children come with their parents, and probes when all is over.
    pub fn weight(self) -> u32 {
        match self {
            Self::Steps => 6,
            Self::Retried | Self::Delayed | Self::Reads | Self::Waits | Self::Capped => 2,
            Self::Once | Self::Cancelled | Self::Family | Self::Dissolved => 1,
            Self::Child | Self::Probe => 0,
        }
    }

    /// Its calls of the remote.
    pub fn steps(self) -> &'static [StepShape] {
        match self {
            Self::Steps => &STEPS,
            Self::Retried => &RETRIED,
            Self::Delayed => &DELAYED,
            Self::Reads => &READS,
            Self::Once => &ONCE,
            Self::Cancelled => &CANCELLED,
            Self::Family | Self::Dissolved | Self::Waits => &AFTER,
            Self::Child => &CHILD,
            Self::Capped => &CAPPED,
            Self::Probe => &PROBE,
        }
    }

    /// Its steps before the first call, which the remote hears nothing of.
    pub(super) fn waits(self, child_agent: Option<&str>) -> Vec<Value> {
        match self {
            Self::Family | Self::Dissolved => vec![json!({
                "step_key": "children",
                "start_children": { "agent_id": child_agent, "for_each": "{{ input.children }}" },
            })],
            Self::Waits => vec![
                json!({ "step_key": "nap", "sleep": { "duration": "0.3s" } }),
                json!({ "step_key": "signal", "wait_signal": { "name": SIGNAL } }),
                json!({ "step_key": "question", "request_input": { "least_role": "viewer" } }),
            ],
            Self::Steps
            | Self::Retried
            | Self::Delayed
            | Self::Reads
            | Self::Once
            | Self::Cancelled
            | Self::Child
            | Self::Capped
            | Self::Probe => Vec::new(),
        }
    }

    /// The names of the children of a run of this kind.
    pub fn children(self, run: &str) -> Vec<String> {
        let count = if matches!(self, Self::Family | Self::Dissolved) { 3 } else { 0 };
        (0..count).map(|number| format!("{run}{CHILD_MARK}{number}")).collect()
    }

    /// Somebody asks it to stop while it is under way.
    pub fn is_cancelled(self) -> bool {
        matches!(self, Self::Cancelled | Self::Dissolved)
    }

    /// Milliseconds between the request and its first worker.
    pub fn delay_ms(self) -> u32 {
        if self == Self::Delayed { 1500 } else { 0 }
    }

    /// The final states that are right for it. A call that must not be repeated is given up when its outcome is unknown.
    pub fn may_end(self, state: &str) -> bool {
        let states: &[&str] = match self {
            Self::Once => &["succeeded", "failed"],
            Self::Cancelled | Self::Dissolved | Self::Child => &["succeeded", "cancelled"],
            Self::Steps
            | Self::Retried
            | Self::Delayed
            | Self::Reads
            | Self::Family
            | Self::Waits
            | Self::Capped
            | Self::Probe => &["succeeded"],
        };
        states.contains(&state)
    }
}

/// The name of the run whose child this is.
pub fn parent(run: &str) -> Option<&str> {
    run.split_once(CHILD_MARK).map(|(parent, _)| parent)
}

/// One of these, by their weights.
pub(super) fn draw(kinds: &[(Kind, u32)], random: &mut StdRng) -> Kind {
    let all: u32 = kinds.iter().map(|(_, weight)| weight).sum();
    let mut at = random.random_range(0..all.max(1));
    for (kind, weight) in kinds {
        if at < *weight {
            return *kind;
        }
        at -= weight;
    }
    Kind::Steps
}
