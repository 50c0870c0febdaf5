//! Dead letters: found, redriven once, and removed.

use super::{fresh, trail, world};
use freehold_tests::{errors::assert_fails, remote::Remote, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// An agent that gets `/echo` and then `path`, each tried once.
async fn agent(org: &Org, remote: &Remote, path: &str) -> String {
    let mut calls = Vec::new();
    for (key, path) in [("first", "/echo"), ("second", path)] {
        let action = json!({
            "http": { "method": "GET", "url": remote.url(path) },
            "side_effect": "SIDE_EFFECT_PURE",
            "retry": { "attempts_max": 1 },
        });
        calls.push(json!({ "step_key": key, "core_action_id": org.action_with(action).await }));
    }
    org.agent_with(json!({ "endpoint": { "calls": calls } })).await
}

async fn failed(org: &Org, agent: &str) -> String {
    let id = org.start(agent, json!({ "n": 1 })).await;
    assert_eq!(org.finish(&id).await["error"]["reason"], "ATTEMPTS_EXHAUSTED");
    id
}

async fn letters(org: &Org, filter: Value) -> Vec<Value> {
    let list = org.viewer().call("DeadLetterService/ListDeadLetters", filter).await.unwrap();
    list["dead_letters"].as_array().unwrap().clone()
}

async fn redrive(org: &Org, request: Value) -> Value {
    org.developer().call("DeadLetterService/RedriveDeadLetters", request).await.unwrap()
}

#[tokio::test]
async fn what_does_not_say_which_or_names_nonsense_is_refused() {
    let (_stack, org) = world().await;
    let cases = [
        ("RedriveDeadLetters", json!({ "request_id": "r" }), "selection"),
        ("RedriveDeadLetters", json!({ "selection": { "reason": "WORKER_LOST" } }), "request_id"),
        (
            "RedriveDeadLetters",
            json!({ "selection": { "reason": "CANCELLED" }, "request_id": "r" }),
            "selection.reason",
        ),
        (
            "RedriveDeadLetters",
            json!({ "selection": { "reason": "WORKER_LOST" }, "request_id": "r", "after": { "execution_id": "x" } }),
            "after.execution_id",
        ),
        (
            "RedriveDeadLetters",
            json!({ "selection": { "reason": "WORKER_LOST" }, "request_id": "r", "after": { "execution_id": fresh() } }),
            "after.create_time",
        ),
        ("PurgeDeadLetters", json!({}), "selection"),
        ("PurgeDeadLetters", json!({ "selection": { "agent_id": "x" } }), "selection.agent_id"),
        ("ListDeadLetters", json!({ "agent_id": "x" }), "agent_id"),
        ("ListDeadLetters", json!({ "reason": "x" }), "reason"),
    ];
    for (method, request, field) in cases {
        let refused = org.admin().call(&format!("DeadLetterService/{method}"), request).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, field);
    }
}

#[tokio::test]
async fn letters_are_found_by_agent_reason_and_time_newest_first() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let (one, two) =
        (agent(&org, &remote, "/status/503").await, agent(&org, &remote, "/status/502").await);
    let (a, b, c) = (failed(&org, &one).await, failed(&org, &two).await, failed(&org, &one).await);
    let ids = async |filter| -> Vec<String> {
        letters(&org, filter)
            .await
            .iter()
            .map(|it| it["execution_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(json!({})).await, [c.as_str(), &b, &a]);
    assert_eq!(ids(json!({ "agent_id": one })).await, [c.as_str(), &a]);
    assert_eq!(ids(json!({ "reason": "WORKER_LOST" })).await, Vec::<String>::new());
    assert_eq!(
        ids(json!({ "create_time_before": "2020-01-01T00:00:00Z" })).await,
        Vec::<String>::new()
    );
    assert_eq!(ids(json!({ "page_size": 1 })).await, [c]);
    let letter = letters(&org, json!({ "agent_id": two })).await.remove(0);
    assert_eq!(
        (&letter["reason"], &letter["step_key"]),
        (&json!("ATTEMPTS_EXHAUSTED"), &json!("second"))
    );
    assert!(letter["message"].as_str().unwrap().contains("502"), "{letter:#}");
}

#[tokio::test]
async fn a_letter_is_redriven_once_from_the_step_that_failed_on() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = agent(&org, &remote, "/flaky?fail=1").await;
    let old = failed(&org, &agent).await;
    // What the agent has become since does not matter: the same revision is done again.
    let changed = json!({ "agent": { "id": agent, "name": "Changed" }, "update_mask": ["name"] });
    org.developer().call("AgentService/UpdateAgent", changed).await.unwrap();
    let selection = json!({ "agent_id": agent });
    let dry = redrive(&org, json!({ "selection": selection, "dry_run": true })).await;
    assert_eq!(
        (&dry["matched"], &dry["redriven"], &dry["done"]),
        (&json!("1"), &json!("0"), &json!(true))
    );
    assert_eq!(letters(&org, json!({})).await[0]["redriven_as"], "");

    let request = json!({ "selection": selection, "request_id": fresh() });
    let done = redrive(&org, request.clone()).await;
    assert_eq!((&done["redriven"], &done["done"]), (&json!("1"), &json!(true)));
    assert_eq!(redrive(&org, request).await, done, "the same again has the first answer");
    let other = redrive(&org, json!({ "selection": selection, "request_id": fresh() })).await;
    assert_eq!(other["redriven"], "0");

    let new = done["execution_ids"][0].as_str().unwrap();
    let execution = org.finish(new).await;
    assert_eq!(execution["state"], "EXECUTION_STATE_SUCCEEDED", "{execution:#}");
    assert_eq!(
        (&execution["forked_from"], &execution["forked_from_step"]),
        (&json!(old), &json!("second"))
    );
    assert_eq!(
        (&execution["agent_revision"], &execution["input"]),
        (&json!(1), &json!({ "n": 1.0 }))
    );
    assert_eq!(execution["created_by"], org.developer.user_id.as_str());
    assert_eq!(remote.requests_to("/echo").len(), 1, "the first step is not done again");
    assert_eq!(letters(&org, json!({})).await[0]["redriven_as"], new);
}

#[tokio::test]
async fn a_letter_whose_agent_is_gone_is_left_alone_and_the_answer_says_why() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = agent(&org, &remote, "/status/503").await;
    let old = failed(&org, &agent).await;
    org.developer().call("AgentService/DeleteAgent", json!({ "id": agent })).await.unwrap();
    let request = json!({ "selection": { "execution_ids": [old] }, "request_id": fresh() });
    let done = redrive(&org, request.clone()).await;
    assert_eq!((&done["matched"], &done["redriven"]), (&json!("1"), &json!("0")));
    let skipped = &done["skipped"][0];
    assert_eq!(
        (&skipped["execution_id"], &skipped["reason"]),
        (&json!(old), &json!("RESOURCE_NOT_FOUND"))
    );
    assert!(skipped["message"].as_str().unwrap().contains(&agent), "{skipped:#}");
    assert_eq!(redrive(&org, request).await, done, "the same again has the first answer");
    assert_eq!(letters(&org, json!({})).await[0]["redriven_as"], "");
}

#[tokio::test]
async fn those_behind_a_letter_are_counted_and_redriven_without_it() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = agent(&org, &remote, "/status/503").await;
    let (a, b) = (failed(&org, &agent).await, failed(&org, &agent).await);
    let first = letters(&org, json!({})).await.pop().unwrap();
    let place = json!({ "create_time": first["create_time"], "execution_id": a });
    let behind = json!({ "selection": { "agent_id": agent }, "after": place });
    let mut dry = behind.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(redrive(&org, dry).await["matched"], "1");
    let mut request = behind;
    request["request_id"] = json!(fresh());
    let done = redrive(&org, request).await;
    assert_eq!(
        (&done["redriven"], &done["done"], &done["last"]["execution_id"]),
        (&json!("1"), &json!(true), &json!(b))
    );
    let first = letters(&org, json!({})).await.into_iter().find(|it| it["execution_id"] == a);
    assert_eq!(first.unwrap()["redriven_as"], "");
}

#[tokio::test]
async fn purging_removes_the_letters_that_match_and_no_execution() {
    let (stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = agent(&org, &remote, "/status/503").await;
    let (a, b) = (failed(&org, &agent).await, failed(&org, &agent).await);
    let purge = async |by: &Org, request: Value| {
        by.admin().call("DeadLetterService/PurgeDeadLetters", request).await.unwrap()
    };
    let one = json!({ "selection": { "execution_ids": [a] } });
    let elsewhere = purge(&stack.organization().await, one.clone()).await;
    assert_eq!(elsewhere["purged"], "0");
    let dry = json!({ "selection": { "agent_id": agent }, "dry_run": true });
    let dry = purge(&org, dry).await;
    assert_eq!((&dry["matched"], &dry["purged"]), (&json!("2"), &json!("0")));
    assert_eq!(purge(&org, one).await["purged"], "1");
    let left = letters(&org, json!({})).await;
    assert_eq!((left.len(), &left[0]["execution_id"]), (1, &json!(b)));
    let execution = org.viewer().call("ExecutionService/GetExecution", json!({ "id": a })).await;
    assert_eq!(execution.unwrap()["state"], "EXECUTION_STATE_FAILED");
    assert_eq!(trail(&org, &a).await, ["StartExecution"], "the batch has a line of its own");
}
