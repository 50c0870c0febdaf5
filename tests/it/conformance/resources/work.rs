//! Agents and what they do.

use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::stack::{Org, Stack};
use serde_json::{Value, json};
use shared_db::clock::Clock;
use std::time::Duration;

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

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "type": "AGENT_TYPE_API" }),
                json!({}),
                json!({ "type": "AGENT_TYPE_EXTERNAL", "endpoint": {} }),
            ),
            sieve(
                json!({ "department": "front desk" }),
                json!({}),
                json!({ "department": "exit" }),
            ),
            sieve(json!({ "tag": "hello" }), json!({}), json!({ "tags": ["bye"] })),
        ]
    }
}

pub(crate) struct Executions;

impl Resource for Executions {
    const KIND: &'static str = "Execution";
    const PLURAL: &'static str = "Executions";
    // What an execution is in is not for callers to say.
    const SIEVED_ELSEWHERE: &'static [(&'static str, &'static str)] = &[
        ("state", "web/agents/searches"),
        ("states", "web/agents/searches"),
        ("parent_execution_id", "web/agents/searches"),
        ("error_reason", "web/agents/searches"),
    ];
    const CREATE: &'static str = "Start";
    const DELETE: &'static str = "Cancel";
    const REQUIRED: &'static [&'static str] = &["agent_id", "request_id"];

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "agent": org.agent(&["https://example.test/"]).await,
            "other_agent": org.agent(&["https://example.test/"]).await,
        })
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

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "agent_id": given["agent"] }),
                json!({}),
                json!({ "agent_id": given["other_agent"] }),
            ),
            sieve(
                json!({ "session_id": "evening" }),
                json!({ "session_id": "evening" }),
                json!({}),
            ),
        ]
    }
}
