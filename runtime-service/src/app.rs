//! What takes more than one statement, between the contract and the tables.

pub mod agents;
pub mod dead_letters;
pub mod executions;
pub mod limits;
pub mod purges;
mod selection;

use shared_db::service::deadline;
use std::time::Duration;

/// What is left of a call's time when work in many parts stops, so that its answer still arrives.
const MARGIN: Duration = Duration::from_millis(500);

/// Whether a call has to be answered now with what it has done so far.
fn deadline_near() -> bool {
    deadline::remaining().is_some_and(|it| it < MARGIN)
}
pub mod input_requests;
