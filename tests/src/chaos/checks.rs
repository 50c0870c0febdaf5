//! What must be true of every history. Each check is a function of its own that returns what it finds wrong, one sentence each.

mod accepted;
mod ends;
mod recovery;
mod repeats;
mod slots;
mod steps;
mod takeover;
mod watches;

pub use accepted::{
    a_request_makes_one_execution, nothing_acknowledged_is_lost, nothing_begins_early,
    refusals_are_passing,
};
pub use ends::{every_execution_ends_as_it_should, the_final_event_is_one_and_last};
pub use recovery::{Flow, Unmeasured, flow, services_stay_up, work_flows_again};
pub use repeats::repeats_have_a_cause;
pub use slots::{caps_hold, nothing_is_held, overlapping};
pub use steps::{
    an_attempt_is_completed_once, finished_steps_are_not_repeated, unrepeatable_calls_come_once,
};
pub use takeover::{Takeover, takeover_is_quick, takeovers};
pub use watches::watchers_see_every_event;

use super::history::History;

pub type Check = fn(&History) -> Vec<String>;

/// Every check by its name.
pub const ALL: [(&str, Check); 16] = [
    ("nothing acknowledged is lost", nothing_acknowledged_is_lost),
    ("a request makes one execution", a_request_makes_one_execution),
    ("nothing begins early", nothing_begins_early),
    ("refusals are passing", refusals_are_passing),
    ("every execution ends as it should", every_execution_ends_as_it_should),
    ("the final event is one and last", the_final_event_is_one_and_last),
    ("an attempt is completed once", an_attempt_is_completed_once),
    ("finished steps are not repeated", finished_steps_are_not_repeated),
    ("repeats have a cause", repeats_have_a_cause),
    ("unrepeatable calls come once", unrepeatable_calls_come_once),
    ("watchers see every event", watchers_see_every_event),
    ("nothing is held", nothing_is_held),
    ("caps hold", caps_hold),
    ("takeover is quick", takeover_is_quick),
    ("services stay up", services_stay_up),
    ("work flows again", work_flows_again),
];

/// What each check finds, by its name; those that find nothing are left out.
pub fn findings(history: &History) -> Vec<(&'static str, Vec<String>)> {
    let found = ALL.iter().map(|(name, check)| (*name, check(history)));
    found.filter(|(_, it)| !it.is_empty()).collect()
}
