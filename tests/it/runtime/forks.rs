//! What forks find of the workflow data of the tree that they come from.

use super::{
    waits::{Desk, assert_refused},
    workshop::{Workshop, quick},
};
use runtime_service::store::executions::NewExecution;
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::ExecutionId};
use tonic::Code;

fn put(key: &str) -> Value {
    json!({ "step_key": format!("put-{key}"), "put_data": { "key": key }, "input": { "of": key } })
}

fn get(key: &str) -> Value {
    json!({ "step_key": format!("get-{key}"), "get_data": { "key": key }, "input": {} })
}

fn found(key: &str) -> Value {
    json!({ "key": key, "value": { "of": key } })
}

/// `(key, execution that keeps it)` of a tree.
async fn kept(workshop: &Workshop, root: ExecutionId) -> Vec<(String, ExecutionId)> {
    sqlx::query_as(
        "select key, execution_id from runtime.workflow_data where root_execution_id = $1 order by key",
    )
    .bind(root.0)
    .fetch_all(&workshop.root)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_fork_finds_what_the_steps_that_it_takes_over_have_kept_and_keeps_the_rest_itself() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([put("a"), get("a"), put("b"), get("b")])).await;
    let engine = workshop.engine(quick());
    let id = workshop.start(agent, json!({})).await;
    assert_eq!(workshop.ended(id).await.output, Some(found("b")));
    let fork = Desk::of(&workshop).fork(id, "get-a").await;
    assert_eq!(kept(&workshop, fork).await[0], ("a".to_owned(), fork));
    assert_eq!(workshop.ended(fork).await.output, Some(found("b")));
    let mine = [("a".to_owned(), fork), ("b".to_owned(), fork)];
    assert_eq!(kept(&workshop, fork).await, mine);
    // A fork of the fork is as good.
    let again = Desk::of(&workshop).fork(fork, "get-b").await;
    assert_eq!(workshop.ended(again).await.output, Some(found("b")));
    engine.stop().await;
}

#[tokio::test]
async fn a_fork_of_a_child_finds_what_others_of_its_tree_have_kept() {
    let workshop = Workshop::new().await;
    let (writer, reader) =
        (workshop.agent(json!([put("a")])).await, workshop.agent(json!([get("a")])).await);
    let engine = workshop.engine(quick());
    let root = workshop.start(writer, json!({})).await;
    workshop.ended(root).await;
    let new = workshop.new_execution(reader, json!({}));
    let below = NewExecution { call_stack: vec![root.0], ..new };
    let child = workshop.start_as(below).await;
    assert_eq!(workshop.ended(child).await.output, Some(found("a")));
    let fork = Desk::of(&workshop).fork(child, "get-a").await;
    assert_eq!(workshop.ended(fork).await.output, Some(found("a")));
    assert_eq!(kept(&workshop, fork).await, [("a".to_owned(), root)]);
    engine.stop().await;
}

#[tokio::test]
async fn what_children_have_kept_is_there_unless_they_are_started_once_more() {
    let workshop = Workshop::new().await;
    let child = workshop.agent(json!([put("a")])).await;
    let middle = json!({ "step_key": "below", "start_children": { "agent_id": child } });
    let middle = workshop.agent(json!([middle])).await;
    let fan = json!({ "step_key": "fan", "start_children": { "agent_id": middle } });
    let agent = workshop.agent(json!([fan, get("a")])).await;
    let engine = workshop.engine(quick());
    let id = workshop.start(agent, json!({})).await;
    assert_eq!(workshop.ended(id).await.output, Some(found("a")));
    let (_, writer) = kept(&workshop, id).await.remove(0);
    let desk = Desk::of(&workshop);
    for (step, same) in [("get-a", true), ("fan", false)] {
        let fork = desk.fork(id, step).await;
        assert_eq!(workshop.ended(fork).await.output, Some(found("a")), "from {step}");
        let (_, by) = kept(&workshop, fork).await.remove(0);
        assert_eq!(by == writer, same, "from {step}");
    }
    engine.stop().await;
}

/// A start is one transaction, and copies no more than one may hold.
#[tokio::test]
async fn a_tree_that_keeps_too_much_is_not_forked() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([put("a"), get("a")])).await;
    let engine = workshop.engine(quick());
    let id = workshop.start(agent, json!({})).await;
    workshop.ended(id).await;
    let (desk, fork) = (Desk::of(&workshop), ExecutionId::generate());
    let more = async |count: i32, bytes: i32| {
        // As others of its tree have kept them. What is repeated would be kept in less.
        let sql = "
            insert into runtime.workflow_data (org_id, root_execution_id, key, value, data_type, tags, execution_id, step_key, created_by_agent)
            select org_id, root_execution_id, 'more ' || n,
                to_jsonb((select string_agg(md5(n || ' ' || i), '') from generate_series(1, $3 / 32) as i)), data_type, tags,
                gen_random_uuid(), step_key, created_by_agent
            from runtime.workflow_data, generate_series(1, $2) as n
            where root_execution_id = $1 and key = 'a'";
        let put = sqlx::query(sql).bind(id.0).bind(count).bind(bytes);
        put.execute(&workshop.root).await.unwrap();
    };
    let drop = async |keys: &str| {
        let sql = "delete from runtime.workflow_data where root_execution_id = $1 and key like $2";
        sqlx::query(sql).bind(id.0).bind(keys).execute(&workshop.root).await.unwrap();
    };
    for (count, bytes) in [(10_000, 32), (66, (1 << 20) - 32)] {
        more(count, bytes).await;
        let refused = desk.try_fork(fork, id, "get-a").await;
        assert_refused(refused, Code::FailedPrecondition, Reason::ForkImpossible);
        assert_eq!(kept(&workshop, fork).await, [], "nothing is half written");
        drop("more %").await;
    }
    more(9_999, 32).await;
    desk.try_fork(fork, id, "get-a").await.unwrap();
    assert_eq!(kept(&workshop, fork).await.len(), 10_000);
    assert_eq!(workshop.ended(fork).await.output, Some(found("a")));
    engine.stop().await;
}
