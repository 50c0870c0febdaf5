//! Starting, finding and stopping executions.

use super::{fresh, idle_agent, later, start, trail, world};
use freehold_tests::{
    errors::{assert_fails, fields},
    remote::Remote,
    stack::Org,
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;
use tonic_types::StatusExt;

/// An agent whose input must have a whole number `count` and may have a list of names.
async fn strict_agent(org: &Org) -> String {
    let action = org.action("https://example.test/").await;
    let schema = json!({
        "type": "object",
        "required": ["count"],
        "properties": {
            "count": { "type": "integer" },
            "names": { "type": "array", "items": { "type": "string" } },
        },
    });
    org.agent_with(json!({
        "endpoint": { "calls": [{ "step_key": "a", "core_action_id": action }] },
        "io_schema": { "input": schema },
    }))
    .await
}

async fn ids(org: &Org, filter: Value) -> Vec<String> {
    let list = org.viewer().call("ExecutionService/ListExecutions", filter).await.unwrap();
    let executions = list["executions"].as_array().unwrap();
    executions.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_input_that_does_not_match_names_the_place() {
    let (_stack, org) = world().await;
    let agent = strict_agent(&org).await;
    let cases = [
        (json!({ "count": 1, "names": ["Ada", 2] }), "input/names/1"),
        (json!({ "count": "one" }), "input/count"),
        (json!({}), "input"),
    ];
    for (input, field) in cases {
        let request = json!({ "agent_id": agent, "input": input, "request_id": fresh() });
        let refused = start(&org, request).await;
        assert_fails(refused, Code::InvalidArgument, Reason::SchemaMismatch, field);
    }
    let input = json!({ "count": "one", "names": [1] });
    let request = json!({ "agent_id": agent, "input": input, "request_id": fresh() });
    let status = start(&org, request).await.unwrap_err();
    assert_eq!(fields(&status), ["input/count", "input/names/0"], "all of them at once");
    assert_eq!(ids(&org, json!({})).await, Vec::<String>::new());
    let input = json!({ "count": 1.0, "names": [] });
    let request =
        json!({ "agent_id": agent, "input": input, "request_id": fresh(), "not_before": later() });
    assert_eq!(start(&org, request).await.unwrap()["input"], input);
}

#[tokio::test]
async fn an_input_has_a_limit_and_what_can_not_be_kept_is_refused() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let cases = [
        (json!({ "words": "x".repeat(256 << 10) }), "input"),
        // Many small values weigh more on the wire than as JSON.
        (json!({ "numbers": vec![1; 150_000] }), "input"),
        // PostgreSQL writes numbers out.
        (json!({ "numbers": vec![1e300; 10_000] }), "input"),
    ];
    for (input, field) in cases {
        let request = json!({ "agent_id": agent, "input": input, "request_id": fresh() });
        let refused = start(&org, request).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, field);
    }
    let request = json!({ "agent_id": agent, "input": { "a": "\0" }, "request_id": fresh() });
    let refused = start(&org, request).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, None);
    assert_eq!(ids(&org, json!({})).await, Vec::<String>::new());
    // As large as may be.
    let input = json!({ "words": "x".repeat((256 << 10) - 20), "deep": [[[[{ "a": null }]]]] });
    let input = json!({ "words": &input["words"].as_str().unwrap()[..(256 << 10) - 60], "deep": input["deep"] });
    let request =
        json!({ "agent_id": agent, "input": input, "request_id": fresh(), "not_before": later() });
    assert_eq!(start(&org, request).await.unwrap()["input"], input);
}

#[tokio::test]
async fn times_are_bounded() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let cases = [
        (json!({ "not_before": "2999-01-01T00:00:00Z" }), "not_before"),
        (json!({ "time_limits": { "queue": "-1s" } }), "time_limits.queue"),
        (json!({ "time_limits": { "attempt": "999999999s" } }), "time_limits.attempt"),
        (json!({ "time_limits": { "total": "315576000000s" } }), "time_limits.total"),
        (json!({ "priority": 6 }), "priority"),
    ];
    for (mut request, field) in cases {
        request["agent_id"] = json!(agent);
        request["request_id"] = json!(fresh());
        let refused = start(&org, request).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, field);
    }
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let started = start(&org, request).await.unwrap();
    let limits = json!({ "queue": "86400s", "attempt": "3600s", "total": "172800s" });
    assert_eq!((&started["time_limits"], &started["priority"]), (&limits, &json!(3)));
}

#[tokio::test]
async fn lists_are_narrowed_by_state_agent_and_session() {
    let (_stack, org) = world().await;
    let (one, two) = (idle_agent(&org).await, idle_agent(&org).await);
    let make = async |agent: &str, session: &str| {
        let request = json!({
            "agent_id": agent, "session_id": session, "request_id": fresh(), "not_before": later(),
        });
        start(&org, request).await.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let a = make(&one, "s1").await;
    let b = make(&one, "s2").await;
    let c = make(&two, "s1").await;
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": b })).await.unwrap();
    assert_eq!(ids(&org, json!({})).await, [c.as_str(), &b, &a], "newest first");
    assert_eq!(ids(&org, json!({ "agent_id": one })).await, [b.as_str(), &a]);
    assert_eq!(ids(&org, json!({ "session_id": "s1" })).await, [c.as_str(), &a]);
    assert_eq!(ids(&org, json!({ "state": "EXECUTION_STATE_CANCELLED" })).await, [b.as_str()]);
    let filter = json!({ "state": "EXECUTION_STATE_QUEUED", "agent_id": one, "session_id": "s1" });
    assert_eq!(ids(&org, filter).await, [a.as_str()]);
    assert_eq!(ids(&org, json!({ "agent_id": fresh() })).await, Vec::<String>::new());
    let wrong =
        org.viewer().call("ExecutionService/ListExecutions", json!({ "agent_id": "x" })).await;
    assert_fails(wrong, Code::InvalidArgument, Reason::InvalidField, "agent_id");
}

#[tokio::test]
async fn a_page_of_large_executions_ends_before_it_is_too_large() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let input = json!({ "words": "x".repeat(200 << 10) });
    for _ in 0..24 {
        let request = json!({ "agent_id": agent, "input": input, "request_id": fresh(), "not_before": later() });
        start(&org, request).await.unwrap();
    }
    let (mut seen, mut pages, mut token) = (Vec::new(), 0, json!(""));
    loop {
        let request = json!({ "page_size": 1000, "page_token": token });
        let page = org.viewer().call("ExecutionService/ListExecutions", request).await.unwrap();
        let items = page["executions"].as_array().unwrap();
        assert!(items.iter().map(|it| it.to_string().len()).sum::<usize>() < 4 << 20);
        seen.extend(items.iter().map(|it| it["id"].to_string()));
        pages += 1;
        token = page["next_page_token"].clone();
        if token == "" {
            break;
        }
    }
    let expected = ids(&org, json!({ "page_size": 1 })).await;
    assert_eq!(seen[0], format!("{:?}", expected[0]));
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), pages), (24, 2));
}

#[tokio::test]
async fn one_that_has_ended_can_not_be_cancelled_and_the_error_names_its_state() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/echo")]).await;
    let id = org.start(&agent, json!({})).await;
    org.finish(&id).await;
    let refused =
        org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await;
    let status = assert_fails(refused, Code::FailedPrecondition, Reason::ExecutionState, None);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["state"], "SUCCEEDED");
    assert_eq!(trail(&org, &id).await, ["StartExecution"], "what was refused is not in the trail");
}

#[tokio::test]
async fn one_that_waits_is_cancelled_at_once_and_says_why() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let id = start(&org, request).await.unwrap()["id"].clone();
    let cancel = json!({ "id": id, "reason": "no longer wanted" });
    let cancelled = org.developer().call("ExecutionService/CancelExecution", cancel).await.unwrap();
    assert_eq!(cancelled["state"], "EXECUTION_STATE_CANCELLED");
    assert_eq!(cancelled["error"]["message"], "no longer wanted");
    assert_eq!(trail(&org, id.as_str().unwrap()).await, ["StartExecution", "CancelExecution"]);
    let unknown =
        org.developer().call("ExecutionService/CancelExecution", json!({ "id": fresh() })).await;
    assert_fails(unknown, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn steps_come_in_the_order_in_which_they_began_and_attempts_oldest_first() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let urls: Vec<_> = (0..5).map(|it| remote.url(&format!("/echo?n={it}"))).collect();
    let agent = org.agent(&urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let id = org.start(&agent, json!({})).await;
    let done = org.finish(&id).await;
    assert_eq!(done["state"], "EXECUTION_STATE_SUCCEEDED", "{done:#}");
    for (method, list, key) in [
        ("ExecutionService/ListExecutionSteps", "steps", "step_key"),
        ("ExecutionService/ListActionExecutions", "action_executions", "step_id"),
    ] {
        let whole = json!({ "execution_id": id });
        let whole = org.viewer().call(method, whole).await.unwrap()[list].clone();
        let (mut seen, mut token) = (Vec::new(), json!(""));
        loop {
            let request = json!({ "execution_id": id, "page_size": 2, "page_token": token });
            let page = org.viewer().call(method, request).await.unwrap();
            seen.extend(page[list].as_array().unwrap().clone());
            token = page["next_page_token"].clone();
            if token == "" {
                break;
            }
        }
        assert_eq!(json!(seen), whole, "{method}");
        assert_eq!(seen.len(), 5);
        if key == "step_key" {
            let keys: Vec<_> = seen.iter().map(|it| it[key].as_str().unwrap()).collect();
            assert_eq!(keys, ["step-1", "step-2", "step-3", "step-4", "step-5"]);
        }
        let unknown = org.viewer().call(method, json!({ "execution_id": fresh() })).await;
        assert_fails(unknown, Code::NotFound, Reason::ResourceNotFound, None);
    }
}
