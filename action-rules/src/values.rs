//! JSON values whose strings are templates: the inputs of an agent's calls, over `input` (the execution's) and `steps` (the
//! outputs so far, by step key).
//!
//! A string that is nothing but one `{{ expression }}` becomes the value of the expression, with its type.

use crate::{
    Fault, Reason, Result,
    template::{Context, Limited, NAME, OUTPUT_BYTES_MAX, environment, fault},
};
use minijinja::{Environment, value::Serde};
use serde_json::{Map, Value};
use std::fmt::Write;

/// Levels of arrays and objects.
const DEPTH_MAX: usize = 50;

/// Checks the templates in `value` without filling them in.
pub fn check(value: &Value) -> Result<()> {
    walk(value, &mut String::new(), 0, &mut |text| {
        let environment = environment(Context::Text);
        if let Some(source) = lone_expression(&environment, text) {
            environment.compile_expression(source).map_err(|error| fault(&error))?;
        } else {
            environment.template_from_str(text).map_err(|error| fault(&error))?;
        }
        Ok(Value::Null)
    })
    .map(drop)
}

/// Fills in the templates in `value` over `context`, an object of what they may name.
pub fn render(value: &Value, context: &Value) -> Result<Value> {
    let mut bytes = 0;
    walk(value, &mut String::new(), 0, &mut |text| {
        let made = render_text(text, context)?;
        bytes += match &made {
            Value::String(it) => it.len(),
            Value::Array(_) | Value::Object(_) => made.to_string().len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        };
        if bytes > OUTPUT_BYTES_MAX {
            let problem = format!("makes more than {OUTPUT_BYTES_MAX} bytes");
            return Err(Fault::new(Reason::InvalidTemplate, problem));
        }
        Ok(made)
    })
}

fn render_text(text: &str, context: &Value) -> Result<Value> {
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(Value::String(text.to_owned()));
    }
    let environment = environment(Context::Text);
    if let Some(source) = lone_expression(&environment, text) {
        let expression = environment.compile_expression(source).map_err(|error| fault(&error))?;
        let value = expression.eval(Serde(context)).map_err(|error| fault(&error))?;
        if value.is_undefined() {
            let problem = format!("`{}` has no value", source.trim());
            return Err(Fault::new(Reason::InvalidTemplate, problem));
        }
        return serde_json::to_value(&value)
            .map_err(|error| Fault::new(Reason::InvalidTemplate, error.to_string()));
    }
    let template = environment.template_from_named_str(NAME, text).map_err(|it| fault(&it))?;
    let mut out = Limited::default();
    template.render_captured_to(Serde(context), &mut out).map_err(|error| fault(&error))?;
    Ok(Value::String(out.into_text()?))
}

/// The expression of a string that is nothing but one.
fn lone_expression<'t>(environment: &Environment<'_>, text: &'t str) -> Option<&'t str> {
    let source = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{ a }} and {{ b }}` also begins and ends like one; what is between is no expression.
    environment.compile_expression_owned(source.to_owned()).is_ok().then_some(source)
}

fn walk(
    value: &Value,
    path: &mut String,
    depth: usize,
    text: &mut dyn FnMut(&str) -> Result<Value>,
) -> Result<Value> {
    if depth > DEPTH_MAX {
        let problem = format!("has more than {DEPTH_MAX} levels");
        return Err(Fault::new(Reason::InvalidField, problem).within(path));
    }
    let length = path.len();
    Ok(match value {
        Value::String(it) => text(it).map_err(|fault| fault.within(path))?,
        Value::Array(items) => {
            let mut made = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let _ = write!(path, "[{index}]");
                made.push(walk(item, path, depth + 1, text)?);
                path.truncate(length);
            }
            Value::Array(made)
        }
        Value::Object(map) => {
            let mut made = Map::new();
            for (key, item) in map {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                made.insert(key.clone(), walk(item, path, depth + 1, text)?);
                path.truncate(length);
            }
            Value::Object(made)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lone_expression_keeps_its_type_and_other_text_is_filled_in() {
        let context = json!({"input": {"n": 3, "s": "x"}, "steps": {"first": {"ids": [1, 2]}}});
        let value = json!({
            "n": "{{ input.n }}",
            "ids": " {{ steps.first.ids }} ",
            "text": "{{ input.s }}-{{ input.n }}",
            "braces": "{{ '}}' }}",
            "plain": "as it is",
            "list": [1, null, "{{ input.n + 1 }}"],
        });
        let made = render(&value, &context).unwrap();
        let expected = json!({
            "n": 3, "ids": [1, 2], "text": "x-3", "braces": "}}", "plain": "as it is", "list": [1, null, 4],
        });
        assert_eq!(made, expected);
    }

    #[test]
    fn what_is_missing_or_malformed_is_named_with_its_place() {
        let context = json!({"input": {}, "steps": {}});
        for text in ["{{ input.gone }}", "a {{ input.gone }}", "{{ steps.none.x }}"] {
            let fault = render(&json!({"a": [text]}), &context).unwrap_err();
            assert_eq!((fault.reason, fault.field.as_str()), (Reason::InvalidTemplate, "a[0]"));
        }
        assert_eq!(check(&json!({"a": "{{ input. }}"})).unwrap_err().field, "a");
        check(&json!({"a": "{{ input.gone }}"})).unwrap();
    }

    #[test]
    fn what_is_made_is_bounded() {
        let context = json!({"input": {"s": "x".repeat(OUTPUT_BYTES_MAX / 2)}});
        let value = json!(["{{ input.s }}", "{{ input.s }}", "{{ input.s }}"]);
        assert!(render(&value, &context).is_err());
    }
}
