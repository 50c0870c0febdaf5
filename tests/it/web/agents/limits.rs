//! Limits on how many executions are under way at once, as callers set them.

use super::{fresh, idle_agent, trail, until, world};
use freehold_tests::{errors::assert_fails, remote::Remote, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::time::{Duration, Instant};
use tonic::{Code, Status};

async fn set(org: &Org, method: &str, request: Value) -> Result<Value, Status> {
    org.admin().call(&format!("ConcurrencyLimitService/{method}"), request).await
}

async fn get(org: &Org) -> Value {
    let request = json!({});
    org.viewer().call("ConcurrencyLimitService/GetConcurrencyLimits", request).await.unwrap()
}

fn of_agent(id: &str, max: i32) -> Value {
    json!({ "subject": "LIMIT_SUBJECT_AGENT", "subject_id": id, "executions_max": max })
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_leaves_no_limit() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let theirs = idle_agent(&stack.organization().await).await;
    let mut nothing = of_agent(&agent, 1);
    nothing["subject"] = json!("LIMIT_SUBJECT_UNSPECIFIED");
    let cases = [
        (of_agent("x", 1), Code::InvalidArgument, Reason::InvalidField, Some("subject_id")),
        (of_agent(&agent, -1), Code::InvalidArgument, Reason::InvalidField, Some("executions_max")),
        (nothing, Code::InvalidArgument, Reason::InvalidField, Some("subject")),
        (of_agent(&fresh(), 1), Code::NotFound, Reason::ResourceNotFound, None),
        (of_agent(&theirs, 1), Code::NotFound, Reason::ResourceNotFound, None),
        (
            json!({ "subject": "LIMIT_SUBJECT_PLATFORM", "subject_id": agent, "executions_max": 1 }),
            Code::NotFound,
            Reason::ResourceNotFound,
            None,
        ),
    ];
    for (request, code, reason, field) in cases {
        let refused = set(&org, "SetConcurrencyLimit", request).await;
        assert_fails(refused, code, reason, field);
    }
    let refused = set(&org, "SetOrganizationLimit", json!({ "executions_max": -1 })).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "executions_max");
    let none = get(&org).await;
    assert_eq!((&none["limits"], none["executions_max"].is_null()), (&json!([]), true), "{none:#}");
}

#[tokio::test]
async fn limits_are_set_changed_and_removed_each_by_itself() {
    let (_stack, org) = world().await;
    let (one, two) = (idle_agent(&org).await, idle_agent(&org).await);
    let whole = set(&org, "SetOrganizationLimit", json!({ "executions_max": 7 })).await.unwrap();
    assert_eq!(whole["executions_max"], 7);
    for (id, max) in [(&one, 1), (&two, 2), (&one, 0)] {
        set(&org, "SetConcurrencyLimit", of_agent(id, max)).await.unwrap();
    }
    let all = get(&org).await;
    let limits = all["limits"].as_array().unwrap();
    let maxima: Vec<_> = [&one, &two]
        .map(|id| {
            limits.iter().find(|it| it["subject_id"] == **id).unwrap()["executions_max"].clone()
        })
        .to_vec();
    assert_eq!((limits.len(), maxima), (2, vec![json!(0), json!(2)]));
    let gone = json!({ "subject": "LIMIT_SUBJECT_AGENT", "subject_id": one });
    set(&org, "DeleteConcurrencyLimit", gone.clone()).await.unwrap();
    set(&org, "DeleteConcurrencyLimit", gone).await.unwrap();
    let rest = set(&org, "SetOrganizationLimit", json!({})).await.unwrap();
    assert!(rest["executions_max"].is_null(), "{rest:#}");
    assert_eq!(rest["limits"].as_array().unwrap().len(), 1);
    let expected = [
        "CreateAgent",
        "SetConcurrencyLimit",
        "SetConcurrencyLimit",
        "DeleteConcurrencyLimit",
        "DeleteConcurrencyLimit",
    ];
    assert_eq!(trail(&org, &one).await, expected);
}

#[tokio::test]
async fn a_raised_limit_is_felt_within_a_second_and_the_counts_tell_what_is_under_way() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/slow?ms=1500")]).await;
    set(&org, "SetConcurrencyLimit", of_agent(&agent, 0)).await.unwrap();
    let ids = [org.start(&agent, json!({})).await, org.start(&agent, json!({})).await];
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(remote.requests().is_empty());
    let why = json!({ "id": ids[0] });
    let why = org.viewer().call("ExecutionService/ExplainExecution", why).await.unwrap();
    assert_eq!(why["reason"], "EXPLANATION_REASON_AGENT_AT_LIMIT", "{why:#}");
    set(&org, "SetConcurrencyLimit", of_agent(&agent, 1)).await.unwrap();
    let began = Instant::now();
    until("the first", async || (!remote.requests().is_empty()).then_some(())).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    let now = get(&org).await;
    assert_eq!(
        (&now["executions_live"], &now["limits"][0]["executions_live"]),
        (&json!("1"), &json!("1"))
    );
    for id in ids {
        assert_eq!(org.finish(&id).await["state"], "EXECUTION_STATE_SUCCEEDED");
    }
    let seen = remote.requests();
    assert!(Duration::from_millis(1500) <= seen[1].at - seen[0].at, "one after the other");
    assert_eq!(get(&org).await["executions_live"], "0");
}
