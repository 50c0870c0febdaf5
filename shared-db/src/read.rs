//! The reads of `runtime.*`, written once: runtime answers its commands with them, and web reads results straight from the tables.
//!
//! They select alone, and return the messages of `freehold.types.v1`.

pub mod agents;
pub mod dead_letters;
pub mod executions;
pub mod explain;
pub mod input_requests;
pub mod limits;
pub mod steps;
pub mod workflow_data;

use crate::{error::Result, json};
use prost::{Message, Name};
use prost_types::Struct;
use serde_json::Value;

/// A column that holds a message, if it holds one.
fn message<M: Message + Name + Default>(column: Option<Value>) -> Result<Option<M>> {
    column.map(json::to_message).transpose()
}

/// A column that holds an object; `{}` stands for an absent one.
fn object(column: Value) -> Option<Struct> {
    filled(column).and_then(json::to_struct)
}

/// `None` for `{}`.
fn filled(value: Value) -> Option<Value> {
    let empty = value.as_object().is_some_and(serde_json::Map::is_empty);
    if empty { None } else { Some(value) }
}
