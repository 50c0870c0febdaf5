//! What the executions of a tree share, as callers see it.

use super::{fresh, world};
use freehold_tests::{errors::assert_fails, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// An execution that has kept five values: even ones are tagged `even`.
async fn keeper(org: &Org) -> String {
    let put = |it: usize| {
        let tags = if it.is_multiple_of(2) { json!(["all", "even"]) } else { json!(["all"]) };
        let data = json!({ "key": format!("key-{it}"), "tags": tags, "data_type": "number" });
        json!({ "step_key": format!("s{it}"), "put_data": data, "input": it })
    };
    let calls: Vec<_> = (0..5).map(put).collect();
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let id = org.start(&agent, json!({})).await;
    assert_eq!(org.finish(&id).await["state"], "EXECUTION_STATE_SUCCEEDED");
    id
}

async fn keys(org: &Org, request: Value) -> Vec<String> {
    let page = org.viewer().call("WorkflowDataService/ListWorkflowData", request).await.unwrap();
    let them = page["workflow_data"].as_array().unwrap();
    them.iter().map(|it| it["key"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (stack, org) = world().await;
    let id = keeper(&org).await;
    let get = |execution: &str, key: &str| json!({ "execution_id": execution, "key": key });
    let stranger = stack.organization().await;
    for (caller, request) in [
        (org.viewer(), get(&id, "none")),
        (org.viewer(), get(&fresh(), "key-1")),
        (stranger.owner(), get(&id, "key-1")),
    ] {
        let found = caller.call("WorkflowDataService/GetWorkflowData", request).await;
        assert_fails(found, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let list = json!({ "execution_id": id });
    let found = stranger.owner().call("WorkflowDataService/ListWorkflowData", list).await;
    assert_fails(found, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn values_are_found_by_key_and_listed_by_tag_in_pages() {
    let (_stack, org) = world().await;
    let id = keeper(&org).await;
    let get = json!({ "execution_id": id, "key": "key-3" });
    let kept = org.viewer().call("WorkflowDataService/GetWorkflowData", get).await.unwrap();
    assert_eq!((&kept["value"], &kept["step_key"]), (&json!(3.0), &json!("s3")));
    assert_eq!((&kept["data_type"], &kept["root_execution_id"]), (&json!("number"), &json!(id)));
    let even = json!({ "execution_id": id, "tags": ["even", "all"] });
    assert_eq!(keys(&org, even).await, ["key-0", "key-2", "key-4"]);
    let (mut seen, mut token) = (Vec::new(), json!(""));
    loop {
        let request = json!({ "execution_id": id, "page_size": 2, "page_token": token });
        let page =
            org.viewer().call("WorkflowDataService/ListWorkflowData", request).await.unwrap();
        seen.extend(page["workflow_data"].as_array().unwrap().iter().map(|it| it["value"].clone()));
        token = page["next_page_token"].clone();
        if token == "" {
            break;
        }
    }
    assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 4.0].map(|it| json!(it)));
}
