//! What an action does: one of several fields of the contract, kept as a kind and its configuration.

use crate::{api::request, configs::refused};
use action_rules::{http_call, mcp_call, transform};
use serde_json::Value;
use shared_db::{
    enums::ActionKind,
    error::{Error, Result},
    json,
};
use web_api::v1::core_action::Kind;

/// The fields of which one is set.
pub(super) const FIELDS: [&str; 3] = ["http", "mcp", "transform"];

const CONFIG_BYTES_MAX: usize = 262_144;

/// As it is kept. One of `fields` must be set.
pub(super) fn from_wire(kind: Option<Kind>, fields: &[&str]) -> Result<(ActionKind, Value)> {
    let (field, checked, kind, config) = match kind {
        Some(Kind::Http(it)) => {
            ("http", http_call::check(&it), ActionKind::Http, json::from_message(&it)?)
        }
        Some(Kind::Mcp(it)) => {
            ("mcp", mcp_call::check(&it), ActionKind::Mcp, json::from_message(&it)?)
        }
        Some(Kind::Transform(it)) => {
            ("transform", transform::check(&it), ActionKind::Transform, json::from_message(&it)?)
        }
        None => return Err(missing(fields)),
    };
    if !fields.contains(&field) {
        return Err(missing(fields));
    }
    let field = format!("core_action.{field}");
    checked.map_err(|fault| refused(fault, &field))?;
    request::short(&field, &config, CONFIG_BYTES_MAX)?;
    Ok((kind, config))
}

fn missing(fields: &[&str]) -> Error {
    let problem = match fields {
        [_] => "is required: say what the action does".to_owned(),
        _ => format!("is required: say what the action does, in one of {}", fields.join(", ")),
    };
    Error::invalid(format!("core_action.{}", fields.first().unwrap_or(&FIELDS[0])), problem)
}

pub(super) fn to_wire(kind: ActionKind, config: Value) -> Result<Kind> {
    Ok(match kind {
        ActionKind::Http => Kind::Http(json::to_message(config)?),
        ActionKind::Mcp => Kind::Mcp(json::to_message(config)?),
        ActionKind::Transform => Kind::Transform(json::to_message(config)?),
    })
}
