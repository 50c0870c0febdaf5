//! Executions that begin with the finished steps of another.

use super::{fresh, world};
use freehold_tests::{errors::assert_fails, remote::Remote, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

async fn fork(org: &Org, fields: Value) -> Result<Value, Status> {
    let mut request = json!({ "request_id": fresh() });
    for (key, value) in fields.as_object().unwrap() {
        request[key] = value.clone();
    }
    org.developer().call("ExecutionService/ForkExecution", request).await
}

async fn steps(org: &Org, id: &Value) -> Vec<(String, String)> {
    let of = json!({ "execution_id": id });
    let list = org.viewer().call("ExecutionService/ListExecutionSteps", of).await.unwrap();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let steps = list["steps"].as_array().unwrap();
    steps.iter().map(|it| (text(&it["step_key"]), text(&it["state"]))).collect()
}

#[tokio::test]
async fn a_fork_keeps_the_steps_before_and_does_the_others() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let urls = ["/echo", "/status/404", "/slow?ms=1"].map(|it| remote.url(it));
    let agent = org.agent(&urls.each_ref().map(String::as_str)).await;
    let original = org.start(&agent, json!({ "a": 1 })).await;
    assert_eq!(org.finish(&original).await["state"], "EXECUTION_STATE_FAILED");
    // The agent goes on; a fork stays with the revision that its original began with.
    let changed =
        json!({ "agent": { "id": agent, "description": "other" }, "update_mask": ["description"] });
    org.developer().call("AgentService/UpdateAgent", changed).await.unwrap();

    let request_id = fresh();
    let request = json!({ "id": original, "from_step": "step-2", "request_id": request_id });
    let made = fork(&org, request.clone()).await.unwrap();
    assert_eq!(
        (&made["forked_from"], &made["forked_from_step"]),
        (&json!(original), &json!("step-2"))
    );
    assert_eq!(made["agent_revision"], 1);
    assert_eq!(
        fork(&org, request).await.unwrap()["id"],
        made["id"],
        "the same request is one fork"
    );
    let ended = org.finish(made["id"].as_str().unwrap()).await;
    assert_eq!(ended["error"]["step_key"], "step-2", "{ended:#}");
    let done = |key: &str, state: &str| (key.to_owned(), format!("STEP_STATE_{state}"));
    assert_eq!(
        steps(&org, &made["id"]).await,
        [done("step-1", "SUCCEEDED"), done("step-2", "FAILED")]
    );
    assert_eq!(remote.requests_to("/echo").len(), 1, "what was done is not done again");
    assert_eq!(remote.requests_to("/status/404").len(), 2);
    let events = org.watch(made["id"].as_str().unwrap()).await;
    assert_eq!(events[0]["payload"]["forked_from"], json!(original));

    // What is kept is kept under another input as well; what is done from the beginning sees it.
    let other = fork(&org, json!({ "id": original, "from_step": "step-2", "input": { "a": 2 } }))
        .await
        .unwrap();
    let ended = org.finish(other["id"].as_str().unwrap()).await;
    assert_eq!(
        (&ended["error"]["step_key"], &ended["input"]),
        (&json!("step-2"), &json!({ "a": 2.0 }))
    );
    assert_eq!(remote.requests_to("/echo").len(), 1);
    let whole = fork(&org, json!({ "id": original, "from_step": "step-1" })).await.unwrap();
    org.finish(whole["id"].as_str().unwrap()).await;
    assert_eq!(remote.requests_to("/echo").len(), 2);
}

#[tokio::test]
async fn what_has_not_succeeded_can_not_be_kept() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let urls = ["/echo", "/status/404", "/echo", "/echo"].map(|it| remote.url(it));
    let agent = org.agent(&urls.each_ref().map(String::as_str)).await;
    let original = org.start(&agent, json!({})).await;
    org.finish(&original).await;
    for (step, said) in
        [("step-3", "\"step-2\" has not succeeded"), ("step-9", "no step \"step-9\"")]
    {
        let refused = fork(&org, json!({ "id": original, "from_step": step })).await;
        let status = assert_fails(refused, Code::FailedPrecondition, Reason::ForkImpossible, None);
        assert!(status.message().contains(said), "{status:?}");
    }
    let refused = fork(&org, json!({ "id": fresh(), "from_step": "step-1" })).await;
    assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
}

/// The tree has kept more than the start of one execution copies.
#[tokio::test]
async fn more_data_than_a_start_copies_is_refused() {
    let (stack, org) = world().await;
    let put = json!({ "step_key": "put", "put_data": { "key": "a" }, "input": {} });
    let get = json!({ "step_key": "get", "get_data": { "key": "a" }, "input": {} });
    let agent = org.agent_with(json!({ "endpoint": { "calls": [put, get] } })).await;
    let original = org.start(&agent, json!({})).await;
    org.finish(&original).await;
    let more = "
        insert into runtime.workflow_data
            (org_id, root_execution_id, key, value, data_type, tags, execution_id, step_key, created_by_agent)
        select org_id, root_execution_id, 'more ' || n, value, data_type, tags, execution_id, step_key, created_by_agent
        from runtime.workflow_data, generate_series(1, 10000) as n
        where root_execution_id::text = $1";
    let superuser = stack.database.superuser();
    sqlx::query(more).bind(&original).execute(&superuser).await.unwrap();
    let refused = fork(&org, json!({ "id": original, "from_step": "get" })).await;
    let status = assert_fails(refused, Code::FailedPrecondition, Reason::ForkImpossible, None);
    assert!(status.message().contains("10000 values"), "{status:?}");
}
