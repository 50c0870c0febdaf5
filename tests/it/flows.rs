//! What the product is for, through the real stack from end to end, and what it does with input that is no good.

mod bad_input;
mod database_away;
mod deadlines;
mod failing_work;
mod main_job;

use serde_json::{Value, json};

fn with_mask(mut request: Value, paths: &[&str]) -> Value {
    request["update_mask"] = json!(paths);
    request
}
