//! From what a request says to what the rest of the service speaks of.

use serde_json::Value;
use shared_db::{
    error::{Error, Result},
    json,
    page::ListId,
    service::Caller,
};
use std::{fmt::Write, str::FromStr};

/// The id in `field`.
pub fn id<T: FromStr>(field: &'static str, value: &str) -> Result<T> {
    value.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}

/// The id in `field`, where it may be empty.
pub fn id_if_any<T: FromStr>(field: &'static str, value: &str) -> Result<Option<T>> {
    if value.is_empty() { Ok(None) } else { id(field, value).map(Some) }
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

/// Fails when `value` is longer as JSON than `bytes_max`. PostgreSQL writes a space after each colon and comma, and so counts
/// them: the limits of its columns are the outer ones.
pub fn short(field: &str, value: &Value, bytes_max: usize) -> Result<()> {
    let mut counted = Counted(0);
    // Counting can't fail.
    let _ = write!(counted, "{value}");
    if counted.0 <= bytes_max {
        return Ok(());
    }
    Err(Error::invalid(field, format!("must not be longer than {bytes_max} bytes as JSON")))
}

/// Counts the bytes of a value's JSON as PostgreSQL would write it, or a few more.
struct Counted(usize);

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let spaces = text.bytes().filter(|it| matches!(it, b':' | b',')).count();
        self.0 += text.len() + spaces;
        Ok(())
    }
}

/// The list that a page token belongs to: what is listed, for which organization and user, with which filters.
pub fn list_id(caller: &Caller, name: &str, filters: &[&str]) -> ListId {
    ListId(format!("{name} {:?} {:?} {filters:?}", caller.org, caller.user))
}
