//! What takes more than one statement, between the contract and the tables.

pub mod agents;
pub mod dead_letters;
pub mod executions;
pub mod input_requests;
pub mod limits;
pub mod purges;
mod selection;

use action_rules::schema::Schema;
use serde_json::Value;
use shared_db::{
    error::{Error, Reason, Result, Violation},
    service::deadline,
};
use std::time::Duration;

/// What is left of a call's time when work in many parts stops, so that its answer still arrives.
const MARGIN: Duration = Duration::from_millis(500);

/// Whether a call has to be answered now with what it has done so far.
fn deadline_near() -> bool {
    deadline::remaining().is_some_and(|it| it < MARGIN)
}

/// Whether the value of a field matches its schema; where it does not, the place in it is named.
fn check_against(field: &str, schema: &Schema, value: &Value) -> Result<()> {
    let violations: Vec<_> = (schema.mismatches(value).into_iter())
        .map(|it| Violation { field: format!("{field}{}", it.path), problem: it.problem })
        .collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid { reason: Reason::SchemaMismatch, violations })
}
