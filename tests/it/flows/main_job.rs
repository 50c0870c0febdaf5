//! The main job: define actions, put them together in an agent, start it, watch it live, read what it left.

use common_api::types::{EventType, ExecutionState};
use freehold_tests::{remote::Remote, stack::Stack};
use serde_json::{Value, json};
use web_api::v1 as pb;

/// An agent of three calls, each of which uses what the one before found.
async fn agent(org: &freehold_tests::stack::Org, remote: &Remote, platform: &str) -> String {
    let action = async |slug: &str, http: Value, side_effect: &str| {
        org.action_with(json!({
            "slug": slug,
            "platform_id": platform,
            "http": http,
            "side_effect": side_effect,
            "input_schema": { "type": "object" },
        }))
        .await
    };
    let look = json!({
        "method": "GET",
        "url": remote.url("/echo?who={{ input.who }}"),
        "headers": { "x-who": "{{ input.who }}" },
        "response_filter": "{ query: .query, header: .headers[\"x-who\"] }",
    });
    let think = json!({
        "method": "POST",
        "url": remote.url("/slow?ms=300"),
        "body_template": "{ \"seen\": {{ input.seen | tojson }} }",
        "response_filter": ".body.seen",
    });
    let act = json!({
        "method": "POST",
        "url": remote.url("/echo"),
        "response_filter": "{ done: .body.said }",
    });
    let look = action("look", look, "SIDE_EFFECT_PURE").await;
    let think = action("think", think, "SIDE_EFFECT_IDEMPOTENT").await;
    let act = action("act", act, "SIDE_EFFECT_AT_MOST_ONCE").await;
    org.agent_with(json!({
        "io_schema": {
            "input": { "type": "object", "required": ["who"] },
            "output": { "type": "object", "required": ["done"] },
        },
        "endpoint": { "calls": [
            { "step_key": "look", "core_action_id": look },
            { "step_key": "think", "core_action_id": think, "input": { "seen": "{{ steps.look }}" } },
            {
                "step_key": "act",
                "core_action_id": act,
                "input": { "said": "Hello {{ input.who }}, {{ steps.think.query }}" },
            },
        ] },
    }))
    .await
}

#[tokio::test]
async fn an_agent_of_three_calls_runs_to_its_result_and_is_watched_live() {
    let stack = Stack::shared().await;
    let (org, remote) = (stack.organization().await, Remote::start().await);
    let platform = stack.platform_named(&format!("{}-main", org.slug)).await;
    let agent = agent(&org, &remote, &platform).await;
    // What goes into a URL is percent-encoded.
    let execution = org.start(&agent, json!({ "who": "Ada & Co" })).await;

    let request = pb::WatchExecutionRequest { id: execution.clone(), from_seq: 0 };
    let mut watch = org.viewer().executions().watch_execution(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    let mut seen_before_the_end = 0;
    while let Some(message) = watch.message().await.unwrap() {
        let event = message.event.unwrap();
        if event.r#type() == EventType::StepStarted && event.step_key == "think" {
            // The remote takes its time: this came while the work was under way.
            let request = pb::GetExecutionRequest { id: execution.clone() };
            let now = org.viewer().executions().get_execution(request).await.unwrap().into_inner();
            assert_eq!(now.state(), ExecutionState::Running);
            seen_before_the_end += 1;
        }
        events.push(event);
    }
    assert_eq!(seen_before_the_end, 1, "events come as they happen");

    let seqs: Vec<_> = events.iter().map(|it| it.seq).collect();
    assert_eq!(seqs, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    let told: Vec<_> = events.iter().map(|it| (it.r#type(), it.step_key.as_str())).collect();
    let expected = [
        (EventType::ExecutionQueued, ""),
        (EventType::ExecutionStarted, ""),
        (EventType::StepStarted, "look"),
        (EventType::StepSucceeded, "look"),
        (EventType::StepStarted, "think"),
        (EventType::StepSucceeded, "think"),
        (EventType::StepStarted, "act"),
        (EventType::StepSucceeded, "act"),
        (EventType::ExecutionSucceeded, ""),
    ];
    assert_eq!(told, expected);

    // Whoever lost the connection goes on where it was.
    let request = pb::WatchExecutionRequest { id: execution.clone(), from_seq: 7 };
    let mut again = org.viewer().executions().watch_execution(request).await.unwrap().into_inner();
    let mut rest = Vec::new();
    while let Some(message) = again.message().await.unwrap() {
        rest.push(message.event.unwrap());
    }
    assert_eq!(rest, events[6..]);

    what_it_leaves(&org, &remote, &execution).await;
}

async fn what_it_leaves(org: &freehold_tests::stack::Org, remote: &Remote, execution: &str) {
    let viewer = org.viewer();
    let get = json!({ "id": execution });
    let done = viewer.call("ExecutionService/GetExecution", get).await.unwrap();
    assert_eq!(done["state"], "EXECUTION_STATE_SUCCEEDED", "{done:#}");
    let said = "Hello Ada & Co, who=Ada%20%26%20Co";
    assert_eq!(done["output"], json!({ "done": said }));
    assert_eq!(done["created_by"], org.developer.user_id);

    let of = json!({ "execution_id": execution });
    let steps = viewer.call("ExecutionService/ListExecutionSteps", of.clone()).await.unwrap();
    let steps = steps["steps"].as_array().unwrap();
    let keys: Vec<_> = steps.iter().map(|it| it["step_key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["look", "think", "act"]);
    assert!(steps.iter().all(|it| it["state"] == "STEP_STATE_SUCCEEDED" && it["attempt"] == 1));

    let actions = viewer.call("ExecutionService/ListActionExecutions", of).await.unwrap();
    let actions = actions["action_executions"].as_array().unwrap();
    assert_eq!(actions.len(), 3);
    for (action, step) in actions.iter().zip(steps) {
        assert_eq!(action["step_id"], step["id"]);
        assert_eq!(action["http_status"], 200);
        assert_eq!(action["state"], "STEP_STATE_SUCCEEDED");
        assert!(action["request"].is_object(), "what was sent is kept: {action:#}");
    }

    // The remote's own account: three calls, and the key that it was told to know again.
    let seen = remote.requests();
    let paths: Vec<_> = seen.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["/echo", "/slow", "/echo"]);
    assert_eq!(seen[0].headers["x-who"], "Ada & Co");
    assert_eq!(seen[1].idempotency_key(), actions[1]["idempotency_key"].as_str());
    assert!(seen[1].idempotency_key().is_some_and(|it| !it.is_empty()));
}

#[tokio::test]
async fn an_execution_keeps_the_agent_that_it_began_with() {
    let stack = Stack::shared().await;
    let (org, remote) = (stack.organization().await, Remote::start().await);
    let (slow, new) = (remote.url("/slow?ms=300"), remote.url("/echo?new=1"));
    let agent = org.agent(&[&slow, &remote.url("/echo?old=1")]).await;
    let execution = org.start(&agent, json!({})).await;
    let action = org.action(&new).await;
    let calls = json!([{ "step_key": "only", "core_action_id": action }]);
    let changed = json!({ "agent": { "id": agent, "endpoint": { "calls": calls } } });
    let changed = crate::flows::with_mask(changed, &["endpoint"]);
    org.developer().call("AgentService/UpdateAgent", changed).await.unwrap();
    let done = org.finish(&execution).await;
    assert_eq!(done["state"], "EXECUTION_STATE_SUCCEEDED", "{done:#}");
    assert_eq!(done["agent_revision"], 1);
    assert_eq!(done["output"]["query"], "old=1");
}
