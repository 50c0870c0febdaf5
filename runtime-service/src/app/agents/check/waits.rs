//! What steps that wait must be: with templates and schemas that compile, and a default answer that would be taken as an answer.

use super::refused;
use crate::store::input_requests::RESPONSE_BYTES_MAX;
use action_rules::{schema, values};
use common_api::types::{InputStep, action_call::Builtin};
use serde_json::Value;
use shared_db::{
    error::{Error, Reason, Result, Violation},
    json,
};

/// `field` is the path of the call.
pub(super) fn step(field: &str, step: &Builtin) -> Result<()> {
    match step {
        Builtin::RequestInput(it) => input(&format!("{field}.request_input"), it),
        Builtin::PutData(it) => template(&format!("{field}.put_data.key"), &it.key),
        Builtin::GetData(it) => template(&format!("{field}.get_data.key"), &it.key),
        Builtin::Value(_)
        | Builtin::Sleep(_)
        | Builtin::WaitSignal(_)
        | Builtin::StartChildren(_) => Ok(()),
    }
}

fn input(field: &str, step: &InputStep) -> Result<()> {
    template(&format!("{field}.prompt"), &step.prompt)?;
    let schema = match &step.schema {
        None => None,
        Some(it) => {
            let compiled = schema::compile(&json::from_struct(it.clone()));
            Some(compiled.map_err(|fault| refused(fault, &format!("{field}.schema")))?)
        }
    };
    let Some(default) = step.default_response.clone().map(json::from_value) else { return Ok(()) };
    let field = format!("{field}.default_response");
    json::check_size(&field, &default, RESPONSE_BYTES_MAX)?;
    let violations: Vec<_> = (schema.iter().flat_map(|it| it.mismatches(&default)))
        .map(|it| Violation { field: format!("{field}{}", it.path), problem: it.problem })
        .collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid { reason: Reason::SchemaMismatch, violations })
}

fn template(field: &str, text: &str) -> Result<()> {
    let text = Value::String(text.to_owned());
    values::check(&text).map_err(|fault| refused(fault, field))
}
