//! From the bytes of a response to the output of the action: JSON or text, the filter, the output schema.

use super::{
    super::{Effect, Failure, action::Action, action::Kind},
    filters::Filters,
    redact,
};
use serde_json::Value;
use shared_db::error::Reason;
use std::{path::PathBuf, sync::Arc};

/// Bytes of an output as JSON.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

#[derive(Clone)]
pub(super) struct Shaper(Filters);

impl Shaper {
    /// Response filters are run by `program`.
    pub(super) fn new(program: Option<PathBuf>) -> std::io::Result<Self> {
        Ok(Self(Filters::new(program)?))
    }

    pub(super) async fn shape(
        &self,
        action: &Arc<Action>,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        let Kind::Http(http) = &action.kind;
        let value = match &http.filter {
            Some(filter) => self.0.run(filter, &body).await?,
            None => parse(&body),
        };
        let value = bounded(redact::without_nul(value))?;
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
            Err(invalid(format!("the response does not match the action's output schema: {fault}")))
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
