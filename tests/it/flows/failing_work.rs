//! Work that can not succeed ends with the reason, and what was done before is kept.

use freehold_tests::{
    remote::Remote,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

/// The error of the one attempt of an execution of one call with these fields of an HTTP action.
async fn end_of(org: &Org, http: Value, more: Value) -> Value {
    let mut fields = json!({ "http": http, "side_effect": "SIDE_EFFECT_PURE" });
    fields["retry"] = json!({ "attempts_max": 1 });
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    let action = org.action_with(fields).await;
    let calls = json!([{ "step_key": "only", "core_action_id": action }]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let execution = org.start(&agent, json!({})).await;
    let events = org.watch(&execution).await;
    assert_eq!(events.last().unwrap()["type"], "EVENT_TYPE_EXECUTION_FAILED", "{events:#?}");
    let done = org.finish(&execution).await;
    assert_eq!(done["state"], "EXECUTION_STATE_FAILED");
    assert_eq!(done["error"]["step_key"], "only");
    let of = json!({ "execution_id": execution });
    let actions = org.viewer().call("ExecutionService/ListActionExecutions", of).await.unwrap();
    let attempt = &actions["action_executions"][0];
    // What is tried again in vain ends as such, and names the last cause in its message.
    let (end, cause) = (text(&done["error"]["reason"]), text(&attempt["error"]["reason"]));
    let message = text(&done["error"]["message"]);
    let exhausted = end == "ATTEMPTS_EXHAUSTED" && message.contains(cause);
    assert!(end == cause || exhausted, "{:#} after {:#}", done["error"], attempt["error"]);
    attempt["error"].clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn get(url: &str) -> Value {
    json!({ "method": "GET", "url": url })
}

#[tokio::test]
async fn each_way_to_fail_has_its_reason() {
    let stack = Stack::shared().await;
    let (org, remote) = (stack.organization().await, Remote::start().await);
    let with = |path: &str, more: Value| {
        let mut http = get(&remote.url(path));
        for (key, value) in more.as_object().unwrap() {
            http[key] = value.clone();
        }
        http
    };
    let none = json!({});
    let cases = [
        ("REMOTE_UNREACHABLE", get("http://127.0.0.1:1/"), none.clone()),
        ("REMOTE_UNREACHABLE", get("http://nobody.invalid/"), none.clone()),
        ("REMOTE_STATUS", with("/status/404", none.clone()), none.clone()),
        ("TOO_MANY_REDIRECTS", with("/redirect", none.clone()), none.clone()),
        ("REMOTE_TIMEOUT", with("/hang", json!({ "timeout": "0.200s" })), none.clone()),
        (
            "REMOTE_TOO_LARGE",
            with("/big?bytes=2000", json!({ "response_bytes_max": 1000 })),
            none.clone(),
        ),
        ("TOO_MANY_REDIRECTS", with("/loop", json!({ "redirects_max": 3 })), none.clone()),
        (
            "RESPONSE_INVALID",
            with("/echo", json!({ "response_filter": ".path + 1" })),
            none.clone(),
        ),
        (
            "RESPONSE_INVALID",
            with("/echo", none.clone()),
            json!({ "output_schema": { "type": "string" } }),
        ),
        ("ADDRESS_REFUSED", get("http://169.254.169.254/latest/meta-data/"), none.clone()),
        ("ADDRESS_REFUSED", get("http://[fd00::1]/"), none.clone()),
        (
            "ADDRESS_REFUSED",
            with("/redirect?to=http%3A%2F%2F10.0.0.1%2F", json!({ "redirects_max": 3 })),
            none.clone(),
        ),
    ];
    let ends = cases.iter().map(async |(reason, http, more)| {
        let error = end_of(&org, http.clone(), more.clone()).await;
        (*reason, http.clone(), error)
    });
    for (reason, http, error) in futures_util::future::join_all(ends).await {
        assert_eq!(error["reason"], reason, "{http}: {error:#}");
    }
}

#[tokio::test]
async fn a_flaky_remote_is_asked_again_with_the_same_key() {
    let stack = Stack::shared().await;
    let (org, remote) = (stack.organization().await, Remote::start().await);
    let action = org
        .action_with(json!({
            "http": { "method": "POST", "url": remote.url("/flaky?fail=2") },
            "side_effect": "SIDE_EFFECT_IDEMPOTENT",
            "retry": { "attempts_max": 3, "initial_delay": "0.010s" },
        }))
        .await;
    let calls = json!([{ "step_key": "only", "core_action_id": action }]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let execution = org.start(&agent, json!({ "n": 1 })).await;
    let done = org.finish(&execution).await;
    assert_eq!(done["state"], "EXECUTION_STATE_SUCCEEDED", "{done:#}");
    let seen = remote.requests();
    assert_eq!(seen.len(), 3);
    let key = seen[0].idempotency_key().unwrap();
    assert!(seen.iter().all(|it| it.idempotency_key() == Some(key)));
    let of = json!({ "execution_id": execution });
    let actions = org.viewer().call("ExecutionService/ListActionExecutions", of).await.unwrap();
    let statuses: Vec<_> = actions["action_executions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["http_status"])
        .collect();
    assert_eq!(statuses, [503, 503, 200]);
}

#[tokio::test]
async fn what_was_done_before_a_failure_is_kept() {
    let stack = Stack::shared().await;
    let (org, remote) = (stack.organization().await, Remote::start().await);
    let agent = org.agent(&[&remote.url("/echo"), &remote.url("/status/400")]).await;
    let execution = org.start(&agent, json!({})).await;
    let done = org.finish(&execution).await;
    assert_eq!(done["state"], "EXECUTION_STATE_FAILED", "{done:#}");
    assert_eq!(done["error"]["step_key"], "step-2");
    let of = json!({ "execution_id": execution });
    let steps = org.viewer().call("ExecutionService/ListExecutionSteps", of).await.unwrap();
    let states: Vec<_> =
        steps["steps"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["STEP_STATE_SUCCEEDED", "STEP_STATE_FAILED"]);
}
