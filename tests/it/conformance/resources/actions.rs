//! Platforms and the actions on them.

use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

pub(crate) struct CoreActions;

impl Resource for CoreActions {
    const KIND: &'static str = "CoreAction";
    const PLURAL: &'static str = "CoreActions";

    async fn prepare(stack: &Stack, org: &Org) -> Value {
        json!({
            "platform": stack.platform_named(&format!("{}-a", org.slug)).await,
            "other_platform": stack.platform_named(&format!("{}-b", org.slug)).await,
        })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Say hello",
            "description": "Greets whoever is named",
            "platform_id": given["platform"],
            "http": {
                "method": "POST",
                "url": "https://example.test/{{ input.name }}",
                "headers": { "x-greeting": "hello" },
                "body_template": "{\"to\": {{ input.name | tojson }}}",
                "response_filter": ".greeting",
                "timeout": "5s",
                "response_bytes_max": 1000,
                "redirects_max": 2,
            },
            "input_schema": { "type": "object", "required": ["name"] },
            "output_schema": { "type": "string" },
            "risk": "RISK_LEVEL_MEDIUM",
            "side_effect": "SIDE_EFFECT_IDEMPOTENT",
            "scopes": ["greet"],
            "price_credits": "1.25",
            "retry": { "attempts_max": 5, "initial_delay": "0.500s", "coefficient": 1.5 },
            "disabled": true,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "name": "Say goodbye",
            "description": "Takes leave",
            "platform_id": given["other_platform"],
            "http": { "method": "GET", "url": "https://example.test/bye" },
            "input_schema": { "type": "object" },
            "output_schema": { "type": "object", "additionalProperties": false },
            "risk": "RISK_LEVEL_HIGH",
            "side_effect": "SIDE_EFFECT_PURE",
            "scopes": ["leave", "greet"],
            "price_credits": "0.000001",
            "retry": { "attempts_max": 1 },
            "disabled": false,
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "platform_id": given["platform"] }),
            json!({}),
            json!({ "platform_id": given["other_platform"] }),
        )]
    }
}

pub(crate) struct Platforms;

impl Resource for Platforms {
    const KIND: &'static str = "Platform";
    const PLURAL: &'static str = "Platforms";
    const TENANT: bool = false;

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Octo",
            "description": "Where code lives",
            "url": "https://octo.example.test",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({ "name": "Hexa", "description": "Where it moved", "url": "http://hexa.example.test" })
    }
}
