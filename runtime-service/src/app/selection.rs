//! What a request selects, as the stores speak of it. Nothing selected is refused: that all was meant has to be said.

use crate::store::{dead_letters, executions};
use common_api::types::{DeadLetterSelection, ExecutionSelection, ExecutionState, LetterPlace};
use prost_types::Timestamp;
use shared_db::{
    enums,
    error::{Error, Result},
    service::id,
    wire,
};
use std::str::FromStr;
use uuid::Uuid;

/// Executions.
pub(super) fn executions(said: Option<ExecutionSelection>) -> Result<executions::Selection> {
    let said = said.unwrap_or_default();
    if said == ExecutionSelection::default() {
        return Err(nothing());
    }
    let states: Vec<_> = (said.states.iter())
        .filter_map(|it| ExecutionState::try_from(*it).ok())
        .filter_map(enums::ExecutionState::from_wire)
        .collect();
    Ok(executions::Selection {
        agent: id_if_any("selection.agent_id", &said.agent_id)?,
        session: filled(said.session_id),
        states: (!said.states.is_empty()).then_some(states),
        from: time("selection.create_time_from", said.create_time_from)?,
        before: time("selection.create_time_before", said.create_time_before)?,
        ids: ids("selection.execution_ids", &said.execution_ids)?,
    })
}

/// Dead letters, of those behind `after` if one is named.
pub(super) fn dead_letters(
    said: Option<DeadLetterSelection>,
    after: Option<LetterPlace>,
) -> Result<dead_letters::Selection> {
    let said = said.unwrap_or_default();
    if said == DeadLetterSelection::default() {
        return Err(nothing());
    }
    Ok(dead_letters::Selection {
        agent: id_if_any("selection.agent_id", &said.agent_id)?,
        reason: filled(said.reason),
        from: time("selection.create_time_from", said.create_time_from)?,
        before: time("selection.create_time_before", said.create_time_before)?,
        ids: ids("selection.execution_ids", &said.execution_ids)?,
        after: after.map(place).transpose()?,
    })
}

fn place(LetterPlace { create_time, execution_id }: LetterPlace) -> Result<dead_letters::Place> {
    let field = "after.create_time";
    let created_at =
        time(field, create_time)?.ok_or_else(|| Error::invalid(field, "is required"))?;
    Ok(dead_letters::Place { created_at, execution: id("after.execution_id", &execution_id)? })
}

fn nothing() -> Error {
    Error::invalid(
        "selection",
        "must say which; to mean all, name a time that they were made before",
    )
}

fn filled(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn id_if_any<T: FromStr>(field: &'static str, text: &str) -> Result<Option<T>> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

fn time(
    field: &'static str,
    said: Option<Timestamp>,
) -> Result<Option<chrono::DateTime<chrono::Utc>>> {
    said.map(|it| wire::time(field, it)).transpose()
}

fn ids(field: &'static str, said: &[String]) -> Result<Option<Vec<Uuid>>> {
    if said.is_empty() {
        return Ok(None);
    }
    said.iter().map(|it| id(field, it)).collect::<Result<_>>().map(Some)
}
