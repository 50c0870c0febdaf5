//! JSON Schemas (2020-12 unless `$schema` says otherwise). References lead to places in the same schema only.

use crate::{Fault, Reason, Result};
use jsonschema::Draft;
use serde_json::Value;
use std::sync::Arc;

/// Bytes of a schema as JSON.
pub const BYTES_MAX: usize = 65536;

/// Violations that one fault tells of.
const TOLD_MAX: usize = 5;

/// A compiled schema.
#[derive(Clone, Debug)]
pub struct Schema(Arc<jsonschema::Validator>);

pub fn compile(schema: &Value) -> Result<Schema> {
    let fault = |problem: String| Fault::new(Reason::InvalidJsonSchema, problem);
    if !schema.is_object() {
        return Err(fault("must be an object".to_owned()));
    }
    if schema.to_string().len() > BYTES_MAX {
        return Err(fault(format!("must not be longer than {BYTES_MAX} bytes as JSON")));
    }
    refuse_remote(schema, &mut String::new())?;
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    let validator = options.build(schema).map_err(|error| {
        let path = error.instance_path().to_string();
        let place = if path.is_empty() { "at its root".to_owned() } else { format!("at {path}") };
        fault(format!("is not a JSON Schema: {place}, {error}"))
    })?;
    Ok(Schema(Arc::new(validator)))
}

/// Where a value does not match: a JSON Pointer, empty for the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub path: String,
    pub problem: String,
}

impl Schema {
    /// The first places where `value` does not match; none when it does.
    pub fn mismatches(&self, value: &Value) -> Vec<Mismatch> {
        let mismatch = |error: jsonschema::ValidationError<'_>| Mismatch {
            path: error.instance_path().to_string(),
            problem: shortened(error.to_string()),
        };
        self.0.iter_errors(value).take(TOLD_MAX).map(mismatch).collect()
    }

    /// Whether `value` matches, and if not where.
    pub fn validate(&self, value: &Value) -> Result<()> {
        let told: Vec<String> = (self.mismatches(value).into_iter())
            .map(|it| match it.path.as_str() {
                "" => it.problem,
                path => format!("{path}: {}", it.problem),
            })
            .collect();
        if told.is_empty() {
            return Ok(());
        }
        Err(Fault::new(Reason::SchemaMismatch, told.join("; ")))
    }
}

/// Says in the caller's words what would otherwise be an error of a retriever.
fn refuse_remote(schema: &Value, path: &mut String) -> Result<()> {
    let length = path.len();
    match schema {
        Value::Object(map) => {
            for (key, inner) in map {
                let reference = matches!(key.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef");
                if let (true, Value::String(to)) = (reference, inner)
                    && !to.starts_with('#')
                {
                    let problem = format!(
                        "refers to {to:?} at {path}/{key}; only references into the same schema, such as `#/$defs/name`, are followed"
                    );
                    return Err(Fault::new(Reason::InvalidJsonSchema, problem));
                }
                path.push('/');
                path.push_str(key);
                refuse_remote(inner, path)?;
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                refuse_remote(inner, path)?;
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

fn shortened(text: String) -> String {
    const CHARS_MAX: usize = 300;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
