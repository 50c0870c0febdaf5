//! The state machine of an execution: one table of what leads where.
//!
//! What moves one execution by a verb is guarded by the table, and so is what wakes many. The other statements that write many take their
//! rows from the queue, whose phase says as much: a row that is held is one of an execution that is running, or queued where its claim was
//! not told yet, and whoever lets go of it raises the token that they ask for. `tests/it/runtime/states.rs` tries each from every state.

use shared_db::enums::ExecutionState::{
    self, Cancelled, Failed, Paused, Queued, Running, Sleeping, Succeeded, WaitingChildren,
    WaitingEffect, WaitingInput,
};

/// What happens to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A worker takes the lease.
    Claim,
    /// The holder puts it off after a failed try.
    Retry,
    /// The holder lets go of it unfinished, because its process stops.
    Release,
    /// The holder's lease ended.
    Expire,
    /// The holder waits for a person.
    AwaitInput,
    /// The holder waits for web to apply an effect.
    AwaitEffect,
    /// The holder waits for the executions that it started.
    AwaitChildren,
    /// The holder waits for a time.
    Sleep,
    /// What it waited for has come.
    Wake,
    /// A person holds it.
    Pause,
    /// A person lets it go on.
    Resume,
    Succeed,
    Fail,
    Cancel,
}

impl Verb {
    pub const ALL: &[Self] = &[
        Self::Claim,
        Self::Retry,
        Self::Release,
        Self::Expire,
        Self::AwaitInput,
        Self::AwaitEffect,
        Self::AwaitChildren,
        Self::Sleep,
        Self::Wake,
        Self::Pause,
        Self::Resume,
        Self::Succeed,
        Self::Fail,
        Self::Cancel,
    ];
}

/// Everything that may happen; what is not here may not. A verb leads to one state only, and nothing leads out of a final one.
#[rustfmt::skip]
pub const TRANSITIONS: &[(ExecutionState, Verb, ExecutionState)] = &[
    (Queued,          Verb::Claim,         Running),
    (Running,         Verb::Retry,         Queued),
    (Running,         Verb::Release,       Queued),
    (Running,         Verb::Expire,        Queued),
    (Running,         Verb::AwaitInput,    WaitingInput),
    (Running,         Verb::AwaitEffect,   WaitingEffect),
    (Running,         Verb::AwaitChildren, WaitingChildren),
    (Running,         Verb::Sleep,         Sleeping),
    (WaitingInput,    Verb::Wake,          Queued),
    (WaitingEffect,   Verb::Wake,          Queued),
    (WaitingChildren, Verb::Wake,          Queued),
    (Sleeping,        Verb::Wake,          Queued),
    (Queued,          Verb::Pause,         Paused),
    (Running,         Verb::Pause,         Paused),
    (Sleeping,        Verb::Pause,         Paused),
    // Resumed, it looks anew at what it waited for, and waits again if that has not come.
    (WaitingInput,    Verb::Pause,         Paused),
    (WaitingEffect,   Verb::Pause,         Paused),
    (WaitingChildren, Verb::Pause,         Paused),
    (Paused,          Verb::Resume,        Queued),
    (Running,         Verb::Succeed,       Succeeded),
    (Queued,          Verb::Fail,          Failed),
    (Running,         Verb::Fail,          Failed),
    (WaitingInput,    Verb::Fail,          Failed),
    (WaitingEffect,   Verb::Fail,          Failed),
    (WaitingChildren, Verb::Fail,          Failed),
    (Sleeping,        Verb::Fail,          Failed),
    (Paused,          Verb::Fail,          Failed),
    (Queued,          Verb::Cancel,        Cancelled),
    (Running,         Verb::Cancel,        Cancelled),
    (WaitingInput,    Verb::Cancel,        Cancelled),
    (WaitingEffect,   Verb::Cancel,        Cancelled),
    (WaitingChildren, Verb::Cancel,        Cancelled),
    (Sleeping,        Verb::Cancel,        Cancelled),
    (Paused,          Verb::Cancel,        Cancelled),
];

/// Where `verb` leads from `from`; `None` where it may not happen.
pub fn next(from: ExecutionState, verb: Verb) -> Option<ExecutionState> {
    TRANSITIONS.iter().find(|it| it.0 == from && it.1 == verb).map(|it| it.2)
}

/// The states in which `verb` may happen: the guard of its update.
pub fn sources(verb: Verb) -> Vec<ExecutionState> {
    TRANSITIONS.iter().filter(|it| it.1 == verb).map(|it| it.0).collect()
}

/// The one state that `verb` leads to.
pub fn target(verb: Verb) -> ExecutionState {
    let row = TRANSITIONS.iter().find(|it| it.1 == verb);
    row.expect("the test below tries every verb").2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_leads_to_one_state() {
        for verb in Verb::ALL {
            let sources = sources(*verb);
            assert!(!sources.is_empty(), "{verb:?} can never happen");
            for from in sources {
                assert_eq!(next(from, *verb), Some(target(*verb)), "{from:?} {verb:?}");
            }
        }
    }

    #[test]
    fn no_pair_is_listed_twice() {
        let mut pairs: Vec<_> = TRANSITIONS.iter().map(|it| (it.0, it.1)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), TRANSITIONS.len());
    }

    #[test]
    fn final_is_final_and_every_other_state_can_end() {
        for from in ExecutionState::ALL {
            let verbs: Vec<_> = Verb::ALL.iter().filter(|it| next(*from, **it).is_some()).collect();
            if from.is_final() {
                assert!(verbs.is_empty(), "{from:?} is left by {verbs:?}");
            } else {
                assert_eq!(next(*from, Verb::Fail), Some(Failed));
                assert_eq!(next(*from, Verb::Cancel), Some(Cancelled));
            }
        }
    }

    #[test]
    fn only_a_worker_with_a_lease_succeeds() {
        assert_eq!(sources(Verb::Succeed), [Running]);
        assert_eq!(sources(Verb::Claim), [Queued]);
    }

    #[test]
    fn every_state_can_be_reached() {
        for state in ExecutionState::ALL.iter().filter(|it| **it != Queued) {
            assert!(TRANSITIONS.iter().any(|it| it.2 == *state), "{state:?}");
        }
    }
}
