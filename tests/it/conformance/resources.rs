//! The resources of the contract, as the laws see them.

use super::resource::Resource;
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::clock::Clock;
use std::time::Duration;

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

    fn list_filter(given: &Value) -> Option<Value> {
        Some(json!({ "platform_id": given["platform"] }))
    }
}

pub(crate) struct Agents;

impl Resource for Agents {
    const KIND: &'static str = "Agent";
    const PLURAL: &'static str = "Agents";
    // Of context agents alone; an agent's type is for ever.
    const NEVER_CHANGED: &'static [&'static str] = &["llm_config"];

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "action": org.action("https://example.test/").await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Greeter",
            "description": "Greets and takes leave",
            "version": "1.2.3",
            "type": "AGENT_TYPE_API",
            "department": "front desk",
            "tags": ["hello"],
            "io_schema": { "input": { "type": "object" }, "output": { "type": "object" } },
            "capabilities": ["greeting"],
            "context": "Use it in the morning.",
            "endpoint": { "calls": [{ "step_key": "greet", "core_action_id": given["action"] }] },
            "metadata": { "author": "Ada", "licence": { "spdx": "Apache-2.0" } },
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "name": "Usher",
            "description": "Takes leave",
            "version": "2.0.0-rc.1",
            "department": "exit",
            "tags": ["bye", "hello"],
            "io_schema": { "input": { "type": "object", "minProperties": 1 } },
            "capabilities": ["leaving", "greeting"],
            "context": "Use it in the evening.",
            "endpoint": { "calls": [
                { "step_key": "greet", "core_action_id": given["action"] },
                {
                    "step_key": "leave",
                    "core_action_id": given["action"],
                    "input": { "said": "{{ steps.greet }}" },
                    "retry": { "attempts_max": 2 },
                },
            ] },
            "metadata": { "author": "Grace" },
        })
    }

    fn list_filter(_: &Value) -> Option<Value> {
        Some(json!({ "department": "front desk" }))
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

pub(crate) struct Users;

impl Resource for Users {
    const KIND: &'static str = "User";
    const PLURAL: &'static str = "Users";
    const TENANT: bool = false;
    // Only to an organization that the user is a member of, which a new one is not.
    const NEVER_CHANGED: &'static [&'static str] = &["current_organization_id"];

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    fn reader(org: &Org) -> Caller {
        org.everywhere()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({ "email": format!("{name}@example.test"), "name": "Ada Lovelace", "subject": name })
    }

    fn changes(_: &Value) -> Value {
        json!({ "name": "Augusta Ada King" })
    }
}

pub(crate) struct Organizations;

impl Resource for Organizations {
    const KIND: &'static str = "Organization";
    const PLURAL: &'static str = "Organizations";
    const TENANT: bool = false;
    const ORGANIZATION: bool = true;

    fn writer(org: &Org) -> Caller {
        org.platform()
    }

    fn reader(org: &Org) -> Caller {
        org.platform()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Acme",
            "description": "Makes everything",
            "url": "https://acme.example.test",
            "settings": {
                "theme": "dark",
                "features": ["research"],
                "limits": { "agents": 10 },
                "preferences": { "week_begins": "monday" },
            },
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Acme & Daughters",
            "description": "Makes everything else",
            "url": "http://daughters.example.test",
            "settings": { "theme": "light" },
        })
    }
}

pub(crate) struct Members;

impl Resource for Members {
    const KIND: &'static str = "Member";
    const PLURAL: &'static str = "Members";
    const ID: &'static str = "user_id";
    const CREATE: &'static str = "Add";
    const DELETE: &'static str = "Remove";
    const REQUIRED: &'static [&'static str] = &["email", "role"];

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "email": format!("{name}@example.test"),
            "name": "Grace Hopper",
            "role": "MEMBER_ROLE_DEVELOPER",
            "permissions": ["deploy"],
        })
    }

    fn changes(_: &Value) -> Value {
        json!({ "role": "MEMBER_ROLE_VIEWER", "permissions": ["read.billing", "deploy"] })
    }

    fn list_filter(_: &Value) -> Option<Value> {
        Some(json!({ "role": "MEMBER_ROLE_VIEWER" }))
    }
}

pub(crate) struct ApiKeys;

impl Resource for ApiKeys {
    const KIND: &'static str = "ApiKey";
    const PLURAL: &'static str = "ApiKeys";
    const DELETE: &'static str = "Revoke";

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn reader(org: &Org) -> Caller {
        org.admin()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "user": org.developer.user_id })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "name": name,
            "role": "MEMBER_ROLE_VIEWER",
            "user_id": given["user"],
            "expire_time": "2099-01-01T00:00:00Z",
        })
    }

    fn created(mut answer: Value) -> Value {
        assert!(answer["secret"].as_str().is_some_and(|it| it.starts_with("fh_")));
        answer["api_key"].take()
    }
}

pub(crate) struct Executions;

impl Resource for Executions {
    const KIND: &'static str = "Execution";
    const PLURAL: &'static str = "Executions";
    const CREATE: &'static str = "Start";
    const DELETE: &'static str = "Cancel";
    const REQUIRED: &'static [&'static str] = &["agent_id", "request_id"];

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "agent": org.agent(&["https://example.test/"]).await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        // It stays queued: the laws compare what it is at two times.
        let later = Clock::System.now() + Duration::from_hours(1);
        json!({
            "agent_id": given["agent"],
            "input": { "name": "Ada" },
            "initial_prompt": format!("Say hello to {name}"),
            "session_id": "morning",
            "request_id": name,
            "priority": 2,
            "not_before": later.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "time_limits": { "queue": "7200s", "attempt": "60s", "total": "86400s" },
        })
    }

    fn given_back(mut draft: Value) -> Value {
        draft.as_object_mut().expect("a draft is an object").remove("request_id");
        draft
    }

    fn list_filter(_: &Value) -> Option<Value> {
        Some(json!({ "session_id": "morning" }))
    }
}
