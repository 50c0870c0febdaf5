//! The settings of an organization: free in what they hold, but for four names that mean something.

use crate::api::request;
use serde_json::{Map, Value};
use shared_db::error::{Error, Result};

/// Bytes as JSON.
const BYTES_MAX: usize = 65536;

const FIELD: &str = "organization.settings";
const THEMES: &[&str] = &["light", "dark"];

/// The settings as they are kept; absent ones are empty.
pub(super) fn check(settings: Option<prost_types::Struct>) -> Result<Value> {
    let settings = request::object(FIELD, settings.unwrap_or_default(), BYTES_MAX)?;
    let is_theme = |it: &Value| it.as_str().is_some_and(|it| THEMES.contains(&it));
    field(&settings, "theme", is_theme, "must be `light` or `dark`")?;
    let are_names =
        |it: &Value| it.as_array().is_some_and(|them| them.iter().all(Value::is_string));
    field(&settings, "features", are_names, "must be a list of strings")?;
    field(&settings, "preferences", Value::is_object, "must be an object")?;
    field(&settings, "limits", Value::is_object, "must be an object")?;
    for (name, limit) in settings["limits"].as_object().unwrap_or(&Map::new()) {
        if !limit.is_u64() {
            let field = format!("{FIELD}.limits.{name}");
            return Err(Error::invalid(field, "must be a whole number, 0 or more"));
        }
    }
    Ok(settings)
}

fn field(
    settings: &Value,
    name: &str,
    holds: impl FnOnce(&Value) -> bool,
    problem: &str,
) -> Result<()> {
    match settings.get(name) {
        Some(value) if !holds(value) => Err(Error::invalid(format!("{FIELD}.{name}"), problem)),
        _ => Ok(()),
    }
}
