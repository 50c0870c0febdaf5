//! The protocol with one protection switched off: each time the exploration finds what breaks, and how.

use super::{
    invariants::Invariant,
    protocol::{Bounds, Protection, Protocol},
    search::explore,
};

const ONE: Bounds =
    Bounds { executions: 1, cap: None, faults: 2, requests: 1, handoffs: 1, lost_max: 1 };
/// Small enough to be explored whole, as it must be to say that something never ends.
const CAPPED: Bounds =
    Bounds { executions: 2, cap: Some(1), faults: 1, requests: 0, handoffs: 0, lost_max: 1 };

/// What is off, in which world, and what breaks by that.
#[rustfmt::skip]
const BROKEN: &[(Protection, Bounds, &[Invariant])] = &[
    (Protection::Fencing,              ONE,    &[Invariant::OneHolder, Invariant::OneCompletion]),
    (Protection::ReleaseRaisesToken,   ONE,    &[Invariant::OneHolder, Invariant::OneCompletion]),
    (Protection::RescueRaisesToken,    ONE,    &[Invariant::OneHolder]),
    (Protection::TokenIsNew,           ONE,    &[Invariant::OneHolder, Invariant::OneCompletion]),
    (Protection::EndIsGuarded,         ONE,    &[Invariant::OneCompletion, Invariant::NothingAfterTheEnd, Invariant::TerminalEventIsLast]),
    (Protection::EndIsOneCommit,       ONE,    &[Invariant::NothingIsLost]),
    (Protection::NumberedUnderLock,    ONE,    &[Invariant::EventsAreGapless]),
    (Protection::RepeatsAreRecognised, ONE,    &[Invariant::BegunOnce, Invariant::FinishedStepsStayFinished]),
    (Protection::LateWritesAreRefused, ONE,    &[Invariant::BegunOnce, Invariant::FinishedStepsStayFinished]),
    (Protection::OrphansAreRescued,    CAPPED, &[Invariant::EverythingEnds]),
    (Protection::RescueLooksAgain,     ONE,    &[Invariant::TheLivingKeepTheirLeases]),
    (Protection::UnknownIsHandedBack,  CAPPED, &[Invariant::EverythingEnds]),
    (Protection::UnknownIsNotAdopted,  ONE,    &[Invariant::OneHolder]),
    (Protection::IdentityIsNew,        CAPPED, &[Invariant::CapIsKept]),
    (Protection::CapIsCounted,         CAPPED, &[Invariant::CapIsKept]),
    (Protection::CapIsLocked,          CAPPED, &[Invariant::CapIsKept]),
];

#[test]
fn without_any_one_of_its_protections_the_protocol_breaks() {
    for (without, bounds, broken) in BROKEN {
        let protocol = Protocol { bounds: *bounds, without: Some(*without) };
        for invariant in *broken {
            let explored = explore(protocol, &[*invariant]);
            let Some(trace) = explored.broken else {
                panic!(
                    "{invariant:?} holds without {without:?}, in all {} states",
                    explored.states
                );
            };
            println!("Without {without:?}:\n{trace}\n");
        }
    }
}

#[test]
fn every_protection_is_switched_off_and_every_invariant_is_broken_by_that() {
    for protection in Protection::ALL {
        let tried = BROKEN.iter().any(|it| it.0 == protection);
        assert!(tried, "{protection:?} is never switched off");
    }
    for invariant in Invariant::ALL {
        let tried = BROKEN.iter().any(|it| it.2.contains(&invariant));
        assert!(tried, "nothing shows that {invariant:?} can break");
    }
}
