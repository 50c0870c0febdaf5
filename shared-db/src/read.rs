//! The reads of `runtime.*`, written once: runtime answers its commands with them, and web reads results straight from the tables.
//!
//! They select alone, and return the messages of `freehold.types.v1`.

pub mod agents;
pub mod executions;
pub mod steps;

use crate::{error::Result, json};
use prost::{Message, Name};
use prost_types::Struct;
use serde_json::Value;

/// A column that holds a message; `{}` and null stand for an absent one.
fn message<M: Message + Name + Default>(column: Option<Value>) -> Result<Option<M>> {
    column.filter(is_filled).map(json::to_message).transpose()
}

/// A column that holds an object; `{}` stands for an absent one.
fn object(column: Value) -> Option<Struct> {
    Some(column).filter(is_filled).and_then(json::to_struct)
}

fn is_filled(value: &Value) -> bool {
    value.as_object().is_none_or(|it| !it.is_empty())
}
