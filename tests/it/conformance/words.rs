//! What the laws read from descriptors, and how they compare JSON.

use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value};

/// `CoreAction` → `core_action`
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// What `google.api.field_behavior` says of a field.
pub(crate) fn behaviours(field: &FieldDescriptor) -> Vec<String> {
    let pool = field.parent_message().parent_pool();
    let option = pool.get_extension_by_name("google.api.field_behavior").expect("it is vendored");
    let Kind::Enum(kind) = option.kind() else { panic!("it is an enum") };
    let options = field.options();
    let values = options.get_extension(&option);
    let numbers = values
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(prost_reflect::Value::as_enum_number);
    numbers.filter_map(|it| Some(kind.get_value(it)?.name().to_owned())).collect()
}

/// The length that `buf.validate` allows a text, if it says one.
pub(crate) fn length_max(field: &FieldDescriptor) -> Option<u64> {
    let pool = field.parent_message().parent_pool();
    let option = pool.get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    let rules = options.get_extension(&option);
    let text = rules.as_message()?.get_field_by_name("string")?;
    let text = text.as_message()?;
    let max = text.get_field_by_name("max_len")?.as_u64()?;
    text.has_field_by_name("max_len").then_some(max)
}

/// `base` with the fields of `more` over it.
pub(crate) fn merged(base: Value, more: Value) -> Value {
    let fields = |it| if let Value::Object(it) = it { it } else { Map::new() };
    Value::Object(fields(base).into_iter().chain(fields(more)).collect())
}

/// Whether `actual` has everything that `expected` has. Numbers are compared by value.
pub(crate) fn contains(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| contains(actual.get(key).unwrap_or(&Value::Null), value)),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual.iter().zip(expected).all(|(actual, expected)| contains(actual, expected))
        }
        (Value::Number(actual), Value::Number(expected)) => actual.as_f64() == expected.as_f64(),
        (actual, expected) => actual == expected,
    }
}
