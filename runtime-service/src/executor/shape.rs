//! From the bytes that an action was given to its output: JSON or text, the filter, the output schema.

use super::{Effect, Failure, action::Action, filters::Filters};
use serde_json::Value;
use shared_db::error::Reason;
use std::{path::PathBuf, sync::Arc};

/// Bytes of an output as JSON.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

#[derive(Clone)]
pub(super) struct Shaper(Filters);

impl Shaper {
    /// Filters are run by `program`; by this one when `None`.
    pub(super) fn new(program: Option<PathBuf>) -> std::io::Result<Self> {
        Ok(Self(Filters::new(program)?))
    }

    pub(super) async fn shape(
        &self,
        action: &Arc<Action>,
        filter: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        let value = match filter {
            Some(filter) => self.0.run(filter, &body).await?,
            None => parse(&body),
        };
        let value = bounded(without_nul(value))?;
        if action.output_schema.is_none() {
            return Ok(value);
        }
        let action = action.clone();
        let checked = tokio::task::spawn_blocking(move || check(&action, value)).await;
        checked.unwrap_or_else(|_| Err(invalid("the output schema broke down".to_owned())))
    }
}

fn check(action: &Action, value: Value) -> Result<Value, Failure> {
    let Some(schema) = &action.output_schema else { return Ok(value) };
    match schema.validate(&value) {
        Ok(()) => Ok(value),
        Err(fault) => {
            Err(invalid(format!("the output does not match the action's schema of it: {fault}")))
        }
    }
}

/// JSON where it is JSON, null where there is nothing, otherwise text.
pub(super) fn parse(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn bounded(value: Value) -> Result<Value, Failure> {
    if value.to_string().len() <= OUTPUT_BYTES_MAX {
        return Ok(value);
    }
    let message = format!("the output is larger than {OUTPUT_BYTES_MAX} bytes as JSON");
    Err(Failure::fatal(Reason::RemoteTooLarge, message).with_effect(Effect::Possible))
}

fn invalid(message: String) -> Failure {
    Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible)
}

/// PostgreSQL keeps no NUL in text.
pub(super) fn without_nul(value: Value) -> Value {
    let clean = |it: String| if it.contains('\0') { it.replace('\0', "\u{fffd}") } else { it };
    match value {
        Value::String(it) => Value::String(clean(it)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, it)| (clean(key), without_nul(it))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_that_the_database_refuses_is_made_acceptable() {
        assert_eq!(without_nul(json!({"k\0": ["\0"]})), json!({"k\u{fffd}": ["\u{fffd}"]}));
    }
}
