//! From what a request says to what the rest of the service speaks of.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use serde_json::Value;
use shared_db::{
    error::{Error, Result},
    json,
    page::ListId,
    service::Caller,
    wire::time,
};
use std::str::FromStr;

/// The id in `field`.
pub fn id<T: FromStr>(field: &'static str, value: &str) -> Result<T> {
    value.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}

/// The id in `field`, where it may be empty.
pub fn id_if_any<T: FromStr>(field: &'static str, value: &str) -> Result<Option<T>> {
    if value.is_empty() { Ok(None) } else { id(field, value).map(Some) }
}

/// The time in `field`, where there may be none.
pub fn time_if_any(field: &'static str, value: Option<Timestamp>) -> Result<Option<DateTime<Utc>>> {
    value.map(|it| time(field, it)).transpose()
}

/// Which of the orders that a list has is asked for, by its number; the first if none is.
pub fn order(known: &[&str], text: &str) -> Result<usize> {
    if text.is_empty() {
        return Ok(0);
    }
    let unknown = || {
        let known = known.join("\", \"");
        Error::invalid("order_by", format!("must be one of \"{known}\""))
    };
    known.iter().position(|it| *it == text).ok_or_else(unknown)
}

/// The ids in the field `ids`.
pub fn ids<T: FromStr>(values: &[String]) -> Result<Vec<T>> {
    values.iter().map(|it| id("ids", it)).collect()
}

/// The message in `field`.
pub fn required<T>(field: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::invalid(field, "is required"))
}

/// A `Struct` as JSON, if its JSON is short enough for its column.
pub fn object(field: &str, value: prost_types::Struct, bytes_max: usize) -> Result<Value> {
    let value = json::from_struct(value);
    short(field, &value, bytes_max)?;
    Ok(value)
}

/// Fails when `value` is longer as JSON than `bytes_max`, counted as PostgreSQL writes it: its columns have the same limits.
pub fn short(field: &str, value: &Value, bytes_max: usize) -> Result<()> {
    if jsonb_bytes(value) <= bytes_max {
        return Ok(());
    }
    Err(Error::invalid(field, format!("must not be longer than {bytes_max} bytes as JSON")))
}

/// Bytes of a value as PostgreSQL writes it, or a few more: a space after each colon and comma, and numbers without exponents.
fn jsonb_bytes(value: &Value) -> usize {
    /// The longest that an exponent of a double becomes.
    const EXPONENT_BYTES: usize = 330;
    match value {
        Value::Number(it) => {
            let text = it.to_string();
            let exponent = if text.contains('e') { EXPONENT_BYTES } else { 0 };
            text.len() + exponent
        }
        Value::Array(them) => 2 + them.iter().map(|it| jsonb_bytes(it) + 2).sum::<usize>(),
        Value::Object(them) => {
            let entry = |(key, it): (&String, &Value)| {
                Value::from(key.as_str()).to_string().len() + 2 + jsonb_bytes(it) + 2
            };
            2 + them.iter().map(entry).sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string().len(),
    }
}

/// The list that a page token belongs to: what is listed, for which organization and user, with which filters.
pub fn list_id(caller: &Caller, name: &str, filters: &[&str]) -> ListId {
    ListId(format!("{name} {:?} {:?} {filters:?}", caller.org, caller.user))
}
