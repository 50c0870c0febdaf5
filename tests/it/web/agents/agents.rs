//! What an agent must be, and what becomes of it.

use super::{fresh, idle_agent, later, start, trail, world};
use freehold_tests::{errors::assert_fails, stack::Org};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

async fn create(org: &Org, fields: Value) -> Result<Value, Status> {
    let mut agent = json!({
        "slug": format!("a{}", fresh().replace('-', "")), "name": "An agent", "type": "AGENT_TYPE_API",
    });
    for (field, value) in fields.as_object().unwrap() {
        agent[field] = value.clone();
    }
    org.developer().call("AgentService/CreateAgent", json!({ "agent": agent })).await
}

fn call(key: &str, action: &str) -> Value {
    json!({ "step_key": key, "core_action_id": action })
}

#[tokio::test]
async fn an_api_agent_makes_one_to_fifty_calls() {
    let (_stack, org) = world().await;
    let action = org.action("https://example.test/").await;
    let field = "agent.endpoint.calls";
    for count in [0, 51] {
        let calls: Vec<_> = (0..count).map(|it| call(&format!("s{it}"), &action)).collect();
        let made = create(&org, json!({ "endpoint": { "calls": calls } })).await;
        assert_fails(made, Code::InvalidArgument, Reason::InvalidField, field);
    }
    let calls: Vec<_> = (0..50).map(|it| call(&format!("s{it}"), &action)).collect();
    create(&org, json!({ "endpoint": { "calls": calls } })).await.unwrap();
}

#[tokio::test]
async fn two_calls_under_one_step_key_are_refused_by_name() {
    let (_stack, org) = world().await;
    let action = org.action("https://example.test/").await;
    let calls = json!([call("a", &action), call("b", &action), call("a", &action)]);
    let made = create(&org, json!({ "endpoint": { "calls": calls } })).await;
    let field = "agent.endpoint.calls[2].step_key";
    assert_fails(made, Code::InvalidArgument, Reason::InvalidField, field);
}

#[tokio::test]
async fn an_action_of_nobody_or_of_another_organization_is_refused_by_name() {
    let (stack, org) = world().await;
    let mine = org.action("https://example.test/").await;
    let theirs = stack.organization().await.action("https://example.test/").await;
    for unknown in [fresh(), theirs] {
        let calls = json!([call("a", &mine), call("b", &unknown)]);
        let made = create(&org, json!({ "endpoint": { "calls": calls } })).await;
        let field = "agent.endpoint.calls[1].core_action_id";
        assert_fails(made, Code::InvalidArgument, Reason::InvalidField, field);
    }
    let list = org.viewer().call("AgentService/ListAgents", json!({})).await.unwrap();
    assert_eq!(list["agents"], json!([]), "nothing is half written");
}

#[tokio::test]
async fn what_does_not_compile_is_refused_when_it_is_written() {
    let (_stack, org) = world().await;
    let action = org.action("https://example.test/").await;
    let mut broken = call("a", &action);
    broken["input"] = json!({ "list": ["fine", "{{ input.name "] });
    let made = create(&org, json!({ "endpoint": { "calls": [broken] } })).await;
    let field = "agent.endpoint.calls[0].input.list[1]";
    assert_fails(made, Code::InvalidArgument, Reason::InvalidTemplate, field);

    let endpoint = json!({ "calls": [call("a", &action)] });
    for side in ["input", "output"] {
        let fields =
            json!({ "endpoint": endpoint, "io_schema": { side: { "type": "no-such-type" } } });
        let field = format!("agent.io_schema.{side}");
        let made = create(&org, fields).await;
        assert_fails(made, Code::InvalidArgument, Reason::InvalidJsonSchema, field.as_str());
    }
    let remote = json!({ "$ref": "https://example.test/schema.json" });
    let fields = json!({ "endpoint": endpoint, "io_schema": { "input": remote } });
    let made = create(&org, fields).await;
    assert_fails(made, Code::InvalidArgument, Reason::InvalidJsonSchema, "agent.io_schema.input");

    let fields = json!({ "endpoint": endpoint, "metadata": { "words": "x".repeat(70_000) } });
    let made = create(&org, fields).await;
    assert_fails(made, Code::InvalidArgument, Reason::InvalidField, "agent.metadata");
}

#[tokio::test]
async fn each_type_has_its_own_way_to_do_its_work() {
    let (_stack, org) = world().await;
    let model = json!({ "provider": "anthropic", "model": "some-model" });
    let action = org.action("https://example.test/").await;
    let calls = json!({ "calls": [call("a", &action)] });
    let refused = [
        (json!({ "type": "AGENT_TYPE_CONTEXT" }), "agent.llm_config"),
        (
            json!({ "type": "AGENT_TYPE_CONTEXT", "llm_config": model, "endpoint": calls }),
            "agent.endpoint",
        ),
        (json!({ "type": "AGENT_TYPE_API" }), "agent.endpoint"),
        (
            json!({ "type": "AGENT_TYPE_API", "endpoint": calls, "llm_config": model }),
            "agent.llm_config",
        ),
        (json!({ "type": "AGENT_TYPE_EXTERNAL" }), "agent.endpoint"),
        (json!({ "type": "AGENT_TYPE_EXTERNAL", "endpoint": calls }), "agent.endpoint.calls"),
        (json!({ "type": "AGENT_TYPE_UNSPECIFIED", "endpoint": calls }), "agent.type"),
    ];
    for (fields, field) in refused {
        let made = create(&org, fields).await;
        assert_fails(made, Code::InvalidArgument, Reason::InvalidField, field);
    }
    for fields in [
        json!({ "type": "AGENT_TYPE_CONTEXT", "llm_config": model }),
        json!({ "type": "AGENT_TYPE_EXTERNAL", "endpoint": {} }),
    ] {
        let agent = create(&org, fields).await.unwrap();
        let request = json!({ "agent_id": agent["id"], "request_id": fresh() });
        let started = start(&org, request).await;
        assert_fails(started, Code::FailedPrecondition, Reason::AgentTypeUnsupported, None);
    }
}

#[tokio::test]
async fn an_execution_keeps_the_revision_that_it_began_with() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let before = start(&org, request).await.unwrap();
    let update = json!({
        "agent": { "id": agent, "description": "now with words" }, "update_mask": ["description"],
    });
    let updated = org.developer().call("AgentService/UpdateAgent", update).await.unwrap();
    assert_eq!(updated["revision"], 2);
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let after = start(&org, request).await.unwrap();
    assert_eq!((&before["agent_revision"], &after["agent_revision"]), (&json!(1), &json!(2)));

    let kept: Vec<(i32, String)> = sqlx::query_as(
        "select revision, coalesce(definition ->> 'description', '') from runtime.agent_versions
         where agent_id = $1::uuid order by revision",
    )
    .bind(&agent)
    .fetch_all(&stack.database.superuser())
    .await
    .unwrap();
    assert_eq!(kept, [(1, String::new()), (2, "now with words".to_owned())]);
}

#[tokio::test]
async fn an_update_may_not_make_of_it_what_a_create_would_refuse() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let update = json!({
        "agent": { "id": agent, "endpoint": { "calls": [] } }, "update_mask": ["endpoint"],
    });
    let updated = org.developer().call("AgentService/UpdateAgent", update).await;
    assert_fails(updated, Code::InvalidArgument, Reason::InvalidField, "agent.endpoint.calls");
    let request = json!({ "id": agent });
    let read = org.viewer().call("AgentService/GetAgent", request).await.unwrap();
    assert_eq!(
        (&read["revision"], read["endpoint"]["calls"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
}

#[tokio::test]
async fn the_slug_of_a_deleted_agent_is_free_and_its_executions_stay() {
    let (_stack, org) = world().await;
    let agent = org.agent_with(json!({
        "slug": "the-one", "endpoint": { "calls": [call("a", &org.action("https://example.test/").await)] },
    }));
    let agent = agent.await;
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let execution = start(&org, request).await.unwrap();
    org.developer().call("AgentService/DeleteAgent", json!({ "id": agent })).await.unwrap();

    let read = json!({ "id": execution["id"] });
    org.viewer().call("ExecutionService/GetExecution", read).await.unwrap();
    let started = start(&org, json!({ "agent_id": agent, "request_id": fresh() })).await;
    assert_fails(started, Code::NotFound, Reason::ResourceNotFound, None);
    let action = org.action("https://example.test/").await;
    let fields = json!({ "slug": "the-one", "endpoint": { "calls": [call("a", &action)] } });
    assert_ne!(create(&org, fields).await.unwrap()["id"], agent);
}

#[tokio::test]
async fn what_is_done_to_an_agent_stands_in_the_trail() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let update = json!({ "agent": { "id": agent, "name": "Other" }, "update_mask": ["name"] });
    org.developer().call("AgentService/UpdateAgent", update).await.unwrap();
    let nothing = json!({ "agent": { "id": agent, "name": "" }, "update_mask": ["name"] });
    org.developer().call("AgentService/UpdateAgent", nothing).await.unwrap_err();
    org.developer().call("AgentService/DeleteAgent", json!({ "id": agent })).await.unwrap();
    assert_eq!(trail(&org, &agent).await, ["CreateAgent", "UpdateAgent", "DeleteAgent"]);
    let request = json!({ "resource_id": agent });
    let list = org.admin().call("ActivityService/ListActivities", request).await.unwrap();
    let update = &list["activities"][1];
    assert_eq!(update["fields"], json!(["name"]));
    assert_eq!(update["actor_user_id"], org.developer.user_id);
    assert_eq!(update["actor_api_key_id"], org.developer.key_id);
}
