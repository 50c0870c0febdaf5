//! Executions that start executions: what they come to, and what becomes of the tree when a part of it ends.

use super::workshop::{Workshop, quick, until};
use runtime_service::store::executions::NewExecution;
use serde_json::{Value, json};
use shared_db::ids::{AgentId, ExecutionId};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// A step that starts an execution of `agent` for each of the input's items.
fn fan(agent: AgentId, more: &Value) -> Value {
    let mut start = json!({ "agent_id": agent, "for_each": "{{ input.items }}" });
    for (key, value) in more.as_object().unwrap() {
        start[key] = value.clone();
    }
    json!({ "step_key": "fan", "start_children": start })
}

fn value() -> Value {
    json!([{ "step_key": "only", "value": {} }])
}

fn sleeps() -> Value {
    json!([{ "step_key": "only", "sleep": { "duration": "3600s" } }])
}

impl Workshop {
    async fn children(&self, parent: ExecutionId) -> Vec<ExecutionId> {
        sqlx::query_scalar(
            "select id from runtime.agent_executions where parent_execution_id = $1 order by id",
        )
        .bind(parent.0)
        .fetch_all(&self.root)
        .await
        .unwrap()
    }

    async fn only_child(&self, parent: ExecutionId) -> ExecutionId {
        until("a child", LONG, async || !self.children(parent).await.is_empty()).await;
        self.children(parent).await[0]
    }
}

#[tokio::test]
async fn many_children_are_joined_once_and_in_order() {
    let workshop = Workshop::new().await;
    let child = workshop.agent(value()).await;
    let parent = workshop.agent(json!([fan(child, &json!({}))])).await;
    let engines = [0, 1, 2].map(|_| workshop.engine(quick()));
    let items: Vec<_> = (0..1200).map(|it| json!({ "n": it })).collect();
    let id = workshop.start(parent, json!({ "items": items })).await;
    let ended = async || workshop.standing(id).await.state == "succeeded";
    until("the parent", LONG, ended).await;
    workshop.check(id).await;
    let output = workshop.standing(id).await.output.unwrap();
    let children = workshop.children(id).await;
    assert_eq!(output.as_array().unwrap().len(), 1200);
    for (n, it) in output.as_array().unwrap().iter().enumerate() {
        assert_eq!(it["output"], json!({ "n": n }), "{it}");
        assert_eq!(it["state"], "SUCCEEDED");
        assert_eq!(it["execution_id"], json!(children[n]));
    }
    let kinds = workshop.kinds(id).await;
    let count = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    assert_eq!((count("children_started"), count("execution_woken")), (1, 1), "{kinds:?}");
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test]
async fn no_items_are_no_children_and_one_is_what_a_step_starts_without_a_list() {
    let workshop = Workshop::new().await;
    let child = workshop.agent(value()).await;
    let none = workshop.agent(json!([fan(child, &json!({}))])).await;
    let one = json!({ "step_key": "one", "input": { "a": "{{ input.a }}" }, "start_children": { "agent_id": child } });
    let one = workshop.agent(json!([one])).await;
    let engine = workshop.engine(quick());
    let id = workshop.start(none, json!({ "items": [] })).await;
    assert_eq!(workshop.ended(id).await.output, Some(json!([])));
    let id = workshop.start(one, json!({ "a": 7 })).await;
    let output = workshop.ended(id).await.output.unwrap();
    assert_eq!(output[0]["output"], json!({ "a": 7 }));
    engine.stop().await;
}

#[tokio::test]
async fn a_child_that_fails_fails_its_parent_unless_that_is_tolerated() {
    let workshop = Workshop::new().await;
    let schema =
        json!({ "output": { "type": "object", "properties": { "ok": { "const": true } } } });
    let child = workshop.agent_with(value(), schema).await;
    let strict = workshop.agent(json!([fan(child, &json!({}))])).await;
    let tolerant = workshop.agent(json!([fan(child, &json!({ "tolerate_failures": true }))])).await;
    let engine = workshop.engine(quick());
    let items: Vec<_> = (0..60).map(|it| json!({ "ok": it != 17 })).collect();
    let input = json!({ "items": items });

    let id = workshop.start(strict, input.clone()).await;
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("CHILD_FAILED"));
    assert_eq!(standing.step_key.as_deref(), Some("fan"));
    let message = standing.message.unwrap();
    assert!(message.starts_with("child 17, ") && message.contains("SCHEMA_MISMATCH"), "{message}");

    let id = workshop.start(tolerant, input).await;
    let output = workshop.ended(id).await.output.unwrap();
    let states: Vec<_> = output.as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states.iter().filter(|it| **it == "SUCCEEDED").count(), 59);
    assert_eq!(output[17]["error"]["reason"], "SCHEMA_MISMATCH");
    engine.stop().await;
}

#[tokio::test]
async fn what_can_not_be_started_starts_nothing() {
    let workshop = Workshop::new().await;
    let schema =
        json!({ "input": { "type": "object", "properties": { "n": { "type": "integer" } } } });
    let child = workshop.agent_with(value(), schema).await;
    let parent = workshop.agent(json!([fan(child, &json!({}))])).await;
    let stranger = workshop.agent(json!([fan(AgentId::generate(), &json!({}))])).await;
    let engine = workshop.engine(quick());
    let cases = [
        (parent, json!([{ "n": 1 }, { "n": "two" }]), "SCHEMA_MISMATCH", "item 1 "),
        (parent, json!({ "n": 1 }), "CHILDREN_INVALID", "an object"),
        (parent, json!(vec![0; 10_001]), "CHILDREN_INVALID", "10001 items"),
        (stranger, json!([{}]), "RESOURCE_NOT_FOUND", "not shared"),
    ];
    for (agent, items, reason, said) in cases {
        let id = workshop.start(agent, json!({ "items": items })).await;
        let standing = workshop.ended(id).await;
        assert_eq!(standing.reason.as_deref(), Some(reason));
        assert!(standing.message.as_ref().unwrap().contains(said), "{standing:?}");
        assert_eq!(workshop.children(id).await, []);
    }
    engine.stop().await;
}

#[tokio::test]
async fn executions_are_not_nested_too_deep_or_in_a_circle() {
    let workshop = Workshop::new().await;
    let child = workshop.agent(value()).await;
    let parent = workshop.agent(json!([fan(child, &json!({}))])).await;
    let engine = workshop.engine(quick());
    let above = workshop.start(child, json!({})).await;
    let new = || workshop.new_execution(parent, json!({ "items": [{}] }));
    let id = workshop.start_as(NewExecution { call_stack: vec![above.0], ..new() }).await;
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("EXECUTION_CYCLE"));
    assert!(standing.message.unwrap().contains(&above.to_string()));

    let stack = |depth: usize| (0..depth).map(|_| ExecutionId::generate().0).collect();
    let id = workshop.start_as(NewExecution { call_stack: stack(16), ..new() }).await;
    assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("DEPTH_EXCEEDED"));
    let id = workshop.start_as(NewExecution { call_stack: stack(15), ..new() }).await;
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    engine.stop().await;
}

#[tokio::test]
async fn nobody_waits_for_detached_children() {
    let workshop = Workshop::new().await;
    let (sleeper, quickly) = (workshop.agent(sleeps()).await, workshop.agent(value()).await);
    let mut detached =
        fan(sleeper, &json!({ "detached": true, "close_policy": "CLOSE_POLICY_ABANDON" }));
    detached["step_key"] = json!("detached");
    let parent = workshop.agent(json!([detached, fan(quickly, &json!({}))])).await;
    let engine = workshop.engine(quick());
    let id = workshop.start(parent, json!({ "items": [{ "a": 1 }, { "a": 2 }] })).await;
    let standing = workshop.ended(id).await;
    assert_eq!(standing.state, "succeeded", "{standing:?}");
    assert_eq!(standing.output.unwrap().as_array().unwrap().len(), 2);
    let sql = "select count(*) from runtime.agent_executions where parent_execution_id = $1 and state = 'sleeping'";
    until("the abandoned", LONG, async || workshop.count(sql, id).await == 2).await;
    // What is abandoned is nobody's child any more, so no sweep finds it again.
    let sql = "select count(*) from runtime.execution_queue where parent_execution_id = $1";
    until("the abandoned to be let go", LONG, async || workshop.count(sql, id).await == 0).await;
    engine.stop().await;
}

/// A tree of three levels whose leaf waits for data, each level started with `policy`. Returns it from the top.
async fn tree(workshop: &Workshop, policy: &str) -> [ExecutionId; 3] {
    let waits = json!({ "step_key": "only", "get_data": { "key": "k", "wait": true } });
    let leaf = workshop.agent(json!([waits])).await;
    let policy = json!({ "close_policy": policy });
    let mut step = fan(leaf, &policy);
    step["start_children"]["for_each"] = json!("");
    let middle = workshop.agent(json!([step])).await;
    let mut step = fan(middle, &policy);
    step["start_children"]["for_each"] = json!("");
    let top = workshop.agent(json!([step])).await;
    let top = workshop.start(top, json!({})).await;
    let middle = workshop.only_child(top).await;
    let leaf = workshop.only_child(middle).await;
    workshop.reaches(leaf, "sleeping").await;
    workshop.reaches(middle, "waiting_children").await;
    workshop.reaches(top, "waiting_children").await;
    [top, middle, leaf]
}

#[tokio::test]
async fn a_tree_is_closed_level_by_level() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    for policy in ["CLOSE_POLICY_TERMINATE", "CLOSE_POLICY_REQUEST_CANCEL"] {
        let [top, middle, leaf] = tree(&workshop, policy).await;
        // Behind the back of every engine, so that the sweep has to see it.
        workshop.cancel(top, "enough").await.unwrap();
        for id in [middle, leaf] {
            let standing = workshop.ended(id).await;
            assert_eq!(standing.state, "cancelled");
            assert_eq!(standing.message.as_deref(), Some("its parent has ended"));
        }
        let sql = "select count(*) from runtime.data_waits where execution_id = $1";
        assert_eq!(workshop.count(sql, leaf).await, 0, "it waits for nothing any more");
    }
    let [top, middle, leaf] = tree(&workshop, "CLOSE_POLICY_ABANDON").await;
    workshop.cancel(top, "enough").await.unwrap();
    let sql = "select count(*) from runtime.execution_queue where execution_id = $1 and parent_execution_id is null";
    until("the middle to be let go", LONG, async || workshop.count(sql, middle).await == 1).await;
    assert_eq!(workshop.standing(middle).await.state, "waiting_children");
    assert_eq!(workshop.standing(leaf).await.state, "sleeping");
    engine.stop().await;
}

#[tokio::test]
async fn a_child_at_work_is_asked_or_stopped_as_its_policy_says() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    for (policy, path) in
        [("CLOSE_POLICY_TERMINATE", "/hang"), ("CLOSE_POLICY_REQUEST_CANCEL", "/hang?2")]
    {
        let child = workshop.simple("pure", path).await;
        let parent = workshop.agent(json!([fan(child, &json!({ "close_policy": policy }))])).await;
        let id = workshop.start(parent, json!({ "items": [{}, {}] })).await;
        workshop.only_child(id).await;
        for child in workshop.children(id).await {
            workshop.reaches(child, "running").await;
        }
        workshop.reaches(id, "waiting_children").await;
        workshop.cancel(id, "enough").await.unwrap();
        for child in workshop.children(id).await {
            assert_eq!(workshop.ended(child).await.state, "cancelled");
            let asked = workshop.kinds(child).await.contains(&"cancel_requested".to_owned());
            assert_eq!(asked, policy == "CLOSE_POLICY_REQUEST_CANCEL");
        }
    }
    engine.stop().await;
}

#[tokio::test]
async fn a_parent_whose_last_child_ended_unseen_is_found() {
    let workshop = Workshop::new().await;
    let child = workshop.agent(sleeps()).await;
    let parent = workshop.agent(json!([fan(child, &json!({}))])).await;
    let engine = workshop.engine(quick());
    let id = workshop.start(parent, json!({ "items": [{}] })).await;
    let child = workshop.only_child(id).await;
    workshop.reaches(child, "sleeping").await;
    workshop.reaches(id, "waiting_children").await;
    for sql in [
        "update runtime.agent_executions set state = 'succeeded', output = '7', finished_at = now() where id = $1",
        "delete from runtime.execution_queue where execution_id = $1",
    ] {
        sqlx::query(sql).bind(child.0).execute(&workshop.root).await.unwrap();
    }
    let standing = workshop.ended(id).await;
    assert_eq!(standing.output.unwrap()[0]["output"], json!(7));
    engine.stop().await;
}

#[tokio::test]
async fn children_outlive_their_workers() {
    let workshop = Workshop::new().await;
    let child = workshop.simple("pure", "/slow?ms=30").await;
    let parent = workshop.agent(json!([fan(child, &json!({}))])).await;
    let first = workshop.engine(quick());
    let items: Vec<_> = (0..150).map(|it| json!({ "n": it })).collect();
    let id = workshop.start(parent, json!({ "items": items })).await;
    workshop.seen("/slow", 20).await;
    drop(first);
    let second = workshop.engine(quick());
    workshop.seen("/slow", 60).await;
    let third = workshop.engine(quick());
    drop(second);
    let standing = workshop.ended(id).await;
    assert_eq!(standing.state, "succeeded", "{standing:?}");
    assert_eq!(standing.output.unwrap().as_array().unwrap().len(), 150);
    for child in workshop.children(id).await {
        workshop.check(child).await;
    }
    third.stop().await;
}
