//! Pausing, stopping many, and asking why, as callers do it.

use super::{fresh, idle_agent, later, start, trail, until, world};
use freehold_tests::{errors::assert_fails, remote::Remote, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

async fn waiting(org: &Org, agent: &str, session: &str) -> String {
    let request = json!({
        "agent_id": agent, "session_id": session, "request_id": fresh(), "not_before": later(),
    });
    start(org, request).await.unwrap()["id"].as_str().unwrap().to_owned()
}

async fn state(org: &Org, id: &str) -> Value {
    let request = json!({ "id": id });
    org.viewer().call("ExecutionService/GetExecution", request).await.unwrap()["state"].take()
}

async fn batch(org: &Org, request: Value) -> Value {
    org.admin().call("ExecutionService/BatchCancelExecutions", request).await.unwrap()
}

fn came_to(batch: &Value) -> (&Value, &Value, &Value, &Value) {
    (&batch["matched"], &batch["cancelled"], &batch["requested"], &batch["done"])
}

#[tokio::test]
async fn one_that_has_ended_or_is_not_there_is_neither_paused_nor_resumed() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let id = waiting(&org, &agent, "").await;
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    for method in ["ExecutionService/PauseExecution", "ExecutionService/ResumeExecution"] {
        let refused = org.developer().call(method, json!({ "id": id })).await;
        assert_fails(refused, Code::FailedPrecondition, Reason::ExecutionState, None);
        let refused = org.developer().call(method, json!({ "id": fresh() })).await;
        assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
        let refused = org.developer().call(method, json!({ "id": "x" })).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "id");
    }
    assert_eq!(trail(&org, &id).await, ["StartExecution", "CancelExecution"]);
}

#[tokio::test]
async fn a_pause_holds_until_it_is_resumed_and_stands_in_the_trail() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/slow?ms=300"), &remote.url("/echo")]).await;
    let id = org.start(&agent, json!({})).await;
    until("the call", async || (!remote.requests().is_empty()).then_some(())).await;
    let by_id = json!({ "id": id });
    let asked =
        org.developer().call("ExecutionService/PauseExecution", by_id.clone()).await.unwrap();
    assert_eq!(asked["pause_requested"], true, "{asked:#}");
    until("the pause", async || (state(&org, &id).await == "EXECUTION_STATE_PAUSED").then_some(()))
        .await;
    assert!(remote.requests_to("/echo").is_empty());
    let why = org.viewer().call("ExecutionService/ExplainExecution", by_id.clone()).await.unwrap();
    assert_eq!(why["reason"], "EXPLANATION_REASON_PAUSED");
    org.developer().call("ExecutionService/ResumeExecution", by_id).await.unwrap();
    let done = org.finish(&id).await;
    assert_eq!(
        (&done["state"], &done["pause_requested"]),
        (&json!("EXECUTION_STATE_SUCCEEDED"), &json!(false))
    );
    let expected = ["StartExecution", "PauseExecution", "ResumeExecution"];
    assert_eq!(trail(&org, &id).await, expected);
    assert_eq!(remote.requests_to("/slow").len(), 1);
}

#[tokio::test]
async fn by_force_one_that_runs_has_ended_when_the_call_returns() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/hang")]).await;
    let id = org.start(&agent, json!({})).await;
    until("the call", async || (!remote.requests().is_empty()).then_some(())).await;
    let request = json!({ "id": id, "reason": "now", "force": true });
    let done = org.developer().call("ExecutionService/CancelExecution", request).await.unwrap();
    assert_eq!(done["state"], "EXECUTION_STATE_CANCELLED");
    assert_eq!(done["error"]["message"], "now");
    let events = org.watch(&id).await;
    assert_eq!(events.last().unwrap()["type"], "EVENT_TYPE_EXECUTION_CANCELLED");
}

#[tokio::test]
async fn a_batch_that_does_not_say_which_or_names_nonsense_is_refused() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let id = waiting(&org, &agent, "").await;
    let many: Vec<_> = (0..1001).map(|_| fresh()).collect();
    let cases = [
        (json!({}), "selection"),
        (json!({ "selection": {} }), "selection"),
        (json!({ "selection": { "agent_id": "x" } }), "selection.agent_id"),
        (json!({ "selection": { "execution_ids": ["x"] } }), "selection.execution_ids[0]"),
        (json!({ "selection": { "execution_ids": many } }), "selection.execution_ids"),
        (json!({ "selection": { "agent_id": agent }, "reason": "x".repeat(1001) }), "reason"),
    ];
    for (request, field) in cases {
        let refused = org.admin().call("ExecutionService/BatchCancelExecutions", request).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, field);
    }
    assert_eq!(state(&org, &id).await, "EXECUTION_STATE_QUEUED");
}

#[tokio::test]
async fn a_batch_stops_what_matches_all_that_is_said_and_nothing_else() {
    let (stack, org) = world().await;
    let (one, two) = (idle_agent(&org).await, idle_agent(&org).await);
    let a = waiting(&org, &one, "s1").await;
    let b = waiting(&org, &one, "s2").await;
    let c = waiting(&org, &two, "s1").await;
    let other = stack.organization().await;
    let theirs = waiting(&other, &idle_agent(&other).await, "s1").await;
    let selection = json!({ "agent_id": one, "session_id": "s1" });
    let dry = batch(&org, json!({ "selection": selection, "dry_run": true })).await;
    assert_eq!(came_to(&dry), (&json!("1"), &json!("0"), &json!("0"), &json!(true)));
    assert_eq!(state(&org, &a).await, "EXECUTION_STATE_QUEUED");
    let done = batch(&org, json!({ "selection": selection, "reason": "enough" })).await;
    assert_eq!(came_to(&done), (&json!("1"), &json!("1"), &json!("0"), &json!(true)));
    assert_eq!(state(&org, &a).await, "EXECUTION_STATE_CANCELLED");
    assert_eq!(state(&org, &b).await, "EXECUTION_STATE_QUEUED");
    let again = batch(&org, json!({ "selection": selection })).await;
    assert_eq!(again["matched"], "0", "what has ended does not match");

    let running = json!({ "selection": { "states": ["EXECUTION_STATE_RUNNING"] } });
    assert_eq!(batch(&org, running).await["matched"], "0");
    let before = json!({ "selection": { "create_time_before": "2020-01-01T00:00:00Z" } });
    assert_eq!(batch(&org, before).await["matched"], "0");
    let ids = json!({ "selection": { "execution_ids": [a, b, theirs, fresh()] } });
    assert_eq!(batch(&org, ids).await["cancelled"], "1");
    let rest = json!({ "selection": { "create_time_from": "2020-01-01T00:00:00Z" } });
    assert_eq!(batch(&org, rest).await["cancelled"], "1");
    assert_eq!(state(&org, &c).await, "EXECUTION_STATE_CANCELLED");
    assert_eq!(state(&other, &theirs).await, "EXECUTION_STATE_QUEUED");
}

#[tokio::test]
async fn a_batch_asks_the_workers_of_what_runs_and_with_force_does_not() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    // At most once, so that its worker waits for the call.
    let action = json!({
        "http": { "method": "POST", "url": remote.url("/hang") },
        "side_effect": "SIDE_EFFECT_AT_MOST_ONCE",
    });
    let action = org.action_with(action).await;
    let calls = json!([{ "step_key": "hangs", "core_action_id": action }]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    for force in [false, true] {
        let id = org.start(&agent, json!({})).await;
        until("its turn", async || {
            (state(&org, &id).await == "EXECUTION_STATE_RUNNING").then_some(())
        })
        .await;
        let request = json!({ "selection": { "execution_ids": [id] }, "force": force });
        let done = batch(&org, request).await;
        let (ended, asked) = if force { ("1", "0") } else { ("0", "1") };
        assert_eq!(came_to(&done), (&json!("1"), &json!(ended), &json!(asked), &json!(true)));
        assert_eq!(org.finish(&id).await["state"], "EXECUTION_STATE_CANCELLED");
    }
}

#[tokio::test]
async fn a_batch_of_more_than_the_deadline_allows_says_so_and_goes_on_when_called_again() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    for _ in 0..150 {
        waiting(&org, &agent, "").await;
    }
    let selection = json!({ "selection": { "agent_id": agent } });
    let admin = org.admin();
    // A little more than what is kept back for the answer.
    let hurried = admin.with_identity(admin.identity.clone().with("grpc-timeout", "650m"));
    let part = hurried.call("ExecutionService/BatchCancelExecutions", selection.clone()).await;
    let part = part.unwrap();
    let some: i64 = part["cancelled"].as_str().unwrap().parse().unwrap();
    assert!(some < 150, "{part:#}");
    assert_eq!(part["done"], false, "{part:#}");
    let rest = batch(&org, selection.clone()).await;
    assert_eq!(came_to(&rest).1, &json!((150 - some).to_string()));
    assert_eq!(rest["done"], true);
    assert_eq!(batch(&org, selection).await["matched"], "0");
}
