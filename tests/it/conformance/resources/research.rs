//! How research is done.

use crate::conformance::resource::{Resource, Sieve, sieve};
use serde_json::{Value, json};

pub(crate) struct ResearchTemplates;

impl Resource for ResearchTemplates {
    const KIND: &'static str = "ResearchTemplate";
    const PLURAL: &'static str = "ResearchTemplates";

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "name": name,
            "description": "Some text",
            "prompt_template": "What does {{ item }} do?",
            "input_schema": { "type": "object" },
            "items_max": 100,
            "tags": ["one", "two"],
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Renamed",
            "description": "Other text",
            "prompt_template": "Who leads {{ item }}?",
            "input_schema": { "type": "object", "required": ["a"] },
            "items_max": 250,
            "tags": ["three"],
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] }))]
    }
}
