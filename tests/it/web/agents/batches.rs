//! Many starts in one call.

use super::{fresh, idle_agent, later, trail, world};
use freehold_tests::{errors::assert_fails, remote::Remote, stack::Stack};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::OrganizationId};
use std::{collections::HashSet, time::Duration};
use tonic::Code;

const METHOD: &str = "ExecutionService/BatchStartExecutions";

#[tokio::test]
async fn each_of_a_thousand_has_its_own_result_once() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let nobody = fresh();
    let item = |n: usize| {
        let agent = if n == 500 { &nobody } else { &agent };
        json!({ "agent_id": agent, "input": { "n": n }, "not_before": later(), "session_id": "bulk" })
    };
    let items: Vec<_> = (0..1000).map(item).collect();
    let request = json!({ "requests": items, "request_id": fresh() });
    let answer = org.developer().call(METHOD, request.clone()).await.unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 1000);
    assert_eq!(results[500]["error"]["reason"], "RESOURCE_NOT_FOUND", "{}", results[500]);
    assert_eq!(results[500]["error"]["code"], 5);
    let ids: Vec<_> = results.iter().filter_map(|it| it["execution"]["id"].as_str()).collect();
    assert_eq!(ids.len(), 999);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 999);
    assert!(ids.is_sorted(), "ids are in the order of the requests");
    assert_eq!(results[7]["execution"]["session_id"], "bulk");
    let seventh = json!({ "id": ids[7] });
    let seventh = org.viewer().call("ExecutionService/GetExecution", seventh).await.unwrap();
    assert_eq!(seventh["input"], json!({ "n": 7.0 }));

    let again = org.developer().call(METHOD, request.clone()).await.unwrap();
    assert_eq!(again, answer);
    let mut other = request;
    other["requests"][3]["priority"] = json!(1);
    let refused = org.developer().call(METHOD, other).await;
    assert_fails(refused, Code::AlreadyExists, Reason::RequestIdReused, None);
}

#[tokio::test]
async fn items_with_keys_are_decided_one_by_one() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let item = |key: &str, conflict: &str| json!({ "agent_id": agent, "execution_key": key, "conflict_policy": conflict, "not_before": later() });
    let items: Vec<Value> = vec![
        item("a", "CONFLICT_POLICY_REJECT"),
        item("a", "CONFLICT_POLICY_REJECT"),
        item("b", "CONFLICT_POLICY_ENQUEUE"),
        item("b", "CONFLICT_POLICY_ENQUEUE"),
    ];
    let request = json!({ "requests": items, "request_id": fresh() });
    let answer = org.developer().call(METHOD, request).await.unwrap();
    let results = answer["results"].as_array().unwrap();
    let taken = |it: &&Value| it["error"]["reason"] == "EXECUTION_KEY_TAKEN";
    assert_eq!(results[..2].iter().filter(taken).count(), 1, "{answer:#}");
    assert!(results[2..].iter().all(|it| it["execution"]["id"].is_string()), "{answer:#}");
}

#[tokio::test]
async fn a_batch_is_audited_and_its_fields_are_checked() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let request = json!({ "requests": [{ "agent_id": agent, "not_before": later() }], "request_id": fresh() });
    org.developer().call(METHOD, request).await.unwrap();
    let sql = "select resource_id::text from web.activities where action = 'BatchStartExecutions' and org_id = $1::uuid";
    let batch: String =
        sqlx::query_scalar(sql).bind(&org.id).fetch_one(&stack.database.superuser()).await.unwrap();
    assert_eq!(trail(&org, &batch).await, ["BatchStartExecutions"]);

    let heavy = json!({ "words": "x".repeat(257 << 10) });
    let items = json!([{ "agent_id": agent }, { "agent_id": agent, "input": heavy }]);
    let request = json!({ "requests": items, "request_id": fresh() });
    let refused = org.developer().call(METHOD, request).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "requests[1].input");
    let request = json!({ "requests": [], "request_id": fresh() });
    let refused = org.developer().call(METHOD, request).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "requests");
}

/// Hands are kept for those who come new, and what they start is begun with its acceptance: at the very moment at which it was created.
#[tokio::test]
async fn whoever_has_nothing_in_the_queue_does_not_stand_behind_a_crowd() {
    const STARTS: i64 = 12;
    let stack = Stack::builder().set_runtime("WORKER_CONCURRENCY", "32").start().await;
    let remote = Remote::start().await;
    let (crowd, single) = (stack.organization().await, stack.organization().await);
    let slow = crowd.agent(&[&remote.url("/slow?ms=100")]).await;
    let items = vec![json!({ "agent_id": slow }); 1000];
    let request = json!({ "requests": items, "request_id": fresh() });
    crowd.developer().call(METHOD, request).await.unwrap();
    let quick = single.agent(&[&remote.url("/echo")]).await;
    for _ in 0..STARTS {
        single.start(&quick, json!({})).await;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let superuser = stack.database.superuser();
    let count = async |org: &str, which: &str| -> i64 {
        let org: OrganizationId = org.parse().unwrap();
        let sql =
            format!("select count(*) from runtime.agent_executions where org_id = $1 and {which}");
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::query_scalar(sql).bind(org.0).fetch_one(&superuser).await.unwrap()
    };
    assert!(0 < count(&crowd.id, "started_at is null").await, "the crowd still waits");
    let at_once = count(&single.id, "started_at = created_at").await;
    assert!(STARTS * 2 / 3 <= at_once, "{at_once} of {STARTS} were begun at once");
    let of_the_crowd = count(&crowd.id, "started_at = created_at").await;
    assert!(
        of_the_crowd <= 32,
        "{of_the_crowd} of the crowd itself, which has hands to begin with"
    );
}
