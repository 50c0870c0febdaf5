//! The protocol as it is, explored: nothing that can happen within the bounds breaks it.

use super::{
    actions::Action,
    invariants::Invariant,
    protocol::{Bounds, Protocol},
    search::{Explored, explore},
};

const ONE: Bounds =
    Bounds { executions: 1, cap: None, faults: 0, requests: 0, handoffs: 0, lost_max: 1 };
const TWO: Bounds = Bounds { executions: 2, ..ONE };

/// Explores everything within `bounds`. There are at least so many states, or the exploration has become empty.
#[track_caller]
fn holds(bounds: Bounds, states_min: usize) -> Explored {
    let explored = explore(Protocol { bounds, without: None }, &Invariant::ALL);
    if let Some(trace) = &explored.broken {
        panic!("{bounds:?}\n{trace}");
    }
    let Explored { states, transitions, .. } = explored;
    println!("{states} states, {transitions} transitions within {bounds:?}");
    assert!(states_min <= states, "only {states} states within {bounds:?}");
    explored
}

#[test]
fn one_execution_keeps_its_promises_whatever_is_asked_and_whatever_goes_wrong() {
    let explored = holds(Bounds { faults: 2, requests: 2, handoffs: 1, ..ONE }, 140_000);
    assert_eq!(explored.kinds, Action::KINDS - 1, "something never happens");
    assert!(explored.ends.iter().all(|it| it.1), "some end is never reached: {:?}", explored.ends);
}

#[test]
fn one_execution_keeps_its_promises_under_any_four_faults() {
    holds(Bounds { faults: 4, ..ONE }, 100_000);
}

#[test]
fn two_executions_that_are_claimed_together_keep_theirs_under_any_two_faults() {
    holds(Bounds { faults: 2, ..TWO }, 250_000);
}

#[test]
fn two_executions_under_a_cap_of_one_keep_theirs_and_the_cap() {
    holds(Bounds { cap: Some(1), faults: 2, ..TWO }, 40_000);
    holds(Bounds { cap: Some(1), faults: 1, requests: 1, handoffs: 1, ..TWO }, 150_000);
}
