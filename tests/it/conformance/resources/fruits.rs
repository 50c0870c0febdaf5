//! What executions leave behind them while they are done: questions, data, and dead letters.

use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use std::time::Duration;

/// As many as any law makes.
const KEPT_MAX: usize = 8;

/// The first of a list, once there is one that `is` it.
async fn comes(
    reader: &Caller,
    method: &str,
    request: Value,
    is: impl Fn(&Value) -> bool,
) -> Value {
    for _ in 0..500 {
        let answer = reader.call(method, request.clone()).await.unwrap();
        let mut items = answer.as_object().unwrap().values().filter_map(Value::as_array).flatten();
        if let Some(item) = items.find(|it| is(it)) {
            return item.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{method} does not come to show what was made")
}

/// A new execution of the agent that was prepared.
fn start(given: &Value, name: &str) -> Value {
    json!({ "agent_id": given["agent"], "input": {}, "request_id": name })
}

/// Put by an execution that asks.
pub(crate) struct InputRequests;

impl Resource for InputRequests {
    const KIND: &'static str = "InputRequest";
    const PLURAL: &'static str = "InputRequests";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        let agent = async |least_role: &str| {
            let ask = json!({ "prompt": "Is it so?", "least_role": least_role });
            let ask = json!({ "step_key": "ask", "request_input": ask });
            org.agent_with(json!({ "endpoint": { "calls": [ask] } })).await
        };
        json!({ "agent": agent("viewer").await, "of_owners": agent("owner").await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        start(given, name)
    }

    fn creator() -> String {
        "ExecutionService/StartExecution".to_owned()
    }

    async fn found(reader: &Caller, _: &Value, created: Value) -> Value {
        let of = json!({ "execution_id": created["id"] });
        comes(reader, "InputRequestService/ListInputRequests", of, |_| true).await
    }

    fn given_back(_: Value) -> Value {
        json!({ "prompt": "Is it so?", "step_key": "ask", "state": "INPUT_REQUEST_STATE_OPEN" })
    }

    const SIEVED_ELSEWHERE: &'static [(&'static str, &'static str)] =
        &[("state", "web/agents/input_requests"), ("execution_id", "web/agents/input_requests")];

    fn sieves(given: &Value) -> Vec<Sieve> {
        let others = json!({ "agent_id": given["of_owners"] });
        vec![sieve(json!({ "only_mine": true }), json!({}), others)]
    }
}

/// Left by an execution whose only call is never answered.
pub(crate) struct DeadLetters;

impl Resource for DeadLetters {
    const KIND: &'static str = "DeadLetter";
    const PLURAL: &'static str = "DeadLetters";
    const ID: &'static str = "execution_id";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        // Port 1 refuses.
        let action = json!({
            "http": { "method": "GET", "url": "http://127.0.0.1:1/" },
            "side_effect": "SIDE_EFFECT_PURE",
            "retry": { "attempts_max": 1 },
        });
        let call = json!({ "step_key": "fails", "core_action_id": org.action_with(action).await });
        let endpoint = json!({ "endpoint": { "calls": [call] } });
        let agents = (org.agent_with(endpoint.clone()).await, org.agent_with(endpoint).await);
        json!({ "agent": agents.0, "other": agents.1 })
    }

    fn draft(given: &Value, name: &str) -> Value {
        start(given, name)
    }

    fn creator() -> String {
        "ExecutionService/StartExecution".to_owned()
    }

    async fn found(reader: &Caller, _: &Value, created: Value) -> Value {
        let is = |it: &Value| it["execution_id"] == created["id"];
        comes(reader, "DeadLetterService/ListDeadLetters", json!({}), is).await
    }

    const SIEVED_ELSEWHERE: &'static [(&'static str, &'static str)] =
        &[("reason", "web/agents/dead_letters")];

    fn sieves(given: &Value) -> Vec<Sieve> {
        let other = json!({ "agent_id": given["other"] });
        vec![sieve(json!({ "agent_id": given["agent"] }), json!({}), other)]
    }
}

/// Kept by an execution that keeps whatever it is signalled, under that key.
pub(crate) struct WorkflowData;

impl Resource for WorkflowData {
    const KIND: &'static str = "WorkflowData";
    const PLURAL: &'static str = "WorkflowData";
    const ID: &'static str = "key";
    const OLDEST_FIRST: bool = true;

    async fn prepare(_: &Stack, org: &Org) -> Value {
        let mut calls = Vec::new();
        for number in 0..KEPT_MAX {
            let (wait, put) = (format!("wait-{number}"), format!("put-{number}"));
            let key = format!("{{{{ steps[\"{wait}\"] }}}}");
            calls.push(json!({ "step_key": wait, "wait_signal": { "name": "keep" } }));
            calls.push(json!({ "step_key": put, "put_data": { "key": key, "tags": ["all"] } }));
        }
        let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
        json!({ "execution": org.start(&agent, json!({})).await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        let id = &given["execution"];
        json!({ "id": id, "name": "keep", "payload": name, "request_id": name })
    }

    fn creator() -> String {
        "ExecutionService/SignalExecution".to_owned()
    }

    async fn found(reader: &Caller, draft: &Value, _: Value) -> Value {
        let (of, is) =
            (json!({ "execution_id": draft["id"] }), |it: &Value| it["key"] == draft["payload"]);
        comes(reader, "WorkflowDataService/ListWorkflowData", of, is).await
    }

    fn named(given: &Value, key: &str) -> Value {
        json!({ "execution_id": given["execution"], "key": key })
    }

    fn list_scope(given: &Value) -> Value {
        json!({ "execution_id": given["execution"] })
    }

    const SIEVED_ELSEWHERE: &'static [(&'static str, &'static str)] =
        &[("tags", "web/agents/workflow_data"), ("execution_id", "web/agents/workflow_data")];
}
