//! The shapes of the executions. A new one is a variant here, its steps and how it may end.

use rand::{Rng, rngs::StdRng};

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
    /// One long call, to see how many are done at a time.
    Probe,
}

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
const PROBE: [StepShape; 1] = [step("one", 1500)];

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Steps,
        Self::Retried,
        Self::Delayed,
        Self::Reads,
        Self::Once,
        Self::Cancelled,
        Self::Probe,
    ];

    /// How often it is asked for, beside the others. Probes come when all is over.
    pub fn weight(self) -> u32 {
        match self {
            Self::Steps => 6,
            Self::Retried | Self::Delayed | Self::Reads => 2,
            Self::Once | Self::Cancelled => 1,
            Self::Probe => 0,
        }
    }

    pub fn steps(self) -> &'static [StepShape] {
        match self {
            Self::Steps => &STEPS,
            Self::Retried => &RETRIED,
            Self::Delayed => &DELAYED,
            Self::Reads => &READS,
            Self::Once => &ONCE,
            Self::Cancelled => &CANCELLED,
            Self::Probe => &PROBE,
        }
    }

    /// Milliseconds between the request and its first worker.
    pub fn delay_ms(self) -> u32 {
        if self == Self::Delayed { 1500 } else { 0 }
    }

    /// The final states that are right for it. A call that must not be repeated fails when its outcome is unknown.
    pub fn may_end(self, state: &str) -> bool {
        let states: &[&str] = match self {
            Self::Once => &["succeeded", "failed"],
            Self::Cancelled => &["succeeded", "cancelled"],
            Self::Steps | Self::Retried | Self::Delayed | Self::Reads | Self::Probe => {
                &["succeeded"]
            }
        };
        states.contains(&state)
    }
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
