//! Data that the executions of one tree share.

use crate::runtime::workshop::{Workshop, quick};
use runtime_service::store::executions::NewExecution;
use serde_json::{Value, json};
use shared_db::{
    enums::ClosePolicy,
    ids::{AgentId, ExecutionId},
};
use std::time::Duration;
use tokio::time::sleep;

fn put(key: &str, step: &str, value: &Value) -> Value {
    json!({ "step_key": step, "put_data": { "key": key, "tags": ["t"] }, "input": value })
}

fn get(key: &str, wait: bool) -> Value {
    json!({ "step_key": "get", "get_data": { "key": key, "wait": wait }, "input": {} })
}

/// Starts an execution below `root`.
async fn start_below(workshop: &Workshop, root: ExecutionId, agent: AgentId) -> ExecutionId {
    let new = workshop.new_execution(agent, json!({ "name": "Ada" }));
    // Its parent is none that anybody ends, so nothing may follow from that.
    let close_policy = ClosePolicy::Abandon;
    let below = NewExecution {
        parent_execution_id: Some(root),
        call_stack: vec![root.0],
        close_policy,
        ..new
    };
    workshop.start_as(below).await
}

#[tokio::test]
async fn a_key_is_written_once() {
    let workshop = Workshop::new().await;
    let agent = workshop
        .agent(json!([
            put("plan-{{ input.n }}", "one", &json!({ "a": 1 })),
            put("plan-{{ input.n }}", "same", &json!({ "a": 1 })),
            put("plan-{{ input.n }}", "other", &json!({ "a": 2 })),
        ]))
        .await;
    let id = workshop.start(agent, json!({ "n": 7 })).await;
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("DATA_KEY_TAKEN"));
    assert_eq!(standing.step_key.as_deref(), Some("other"));
    let (key, value, step): (String, Value, String) = sqlx::query_as(
        "select key, value, step_key from runtime.workflow_data where root_execution_id = $1",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap();
    assert_eq!((key.as_str(), value, step.as_str()), ("plan-7", json!({ "a": 1 }), "one"));
    engine.stop().await;
}

#[tokio::test]
async fn what_is_not_there_or_too_large_fails_with_its_step() {
    let workshop = Workshop::new().await;
    let large = json!(["{{ input.words }}", "{{ input.words }}", "{{ input.words }}"]);
    let input = json!({ "words": "x".repeat(400 << 10) });
    let late = json!({ "key": "late", "wait": true, "timeout": "0.3s" });
    let engine = workshop.engine(quick());
    for (call, input, reason) in [
        (get("none", false), json!({}), "DATA_MISSING"),
        (json!({ "step_key": "get", "get_data": late, "input": {} }), json!({}), "DATA_MISSING"),
        (put("large", "put", &large), input, "INVALID_FIELD"),
        (put("{{ input.key }}", "put", &json!(1)), json!({ "key": "" }), "INVALID_FIELD"),
    ] {
        let agent = workshop.agent(json!([call])).await;
        let id = workshop.start(agent, input).await;
        assert_eq!(workshop.ended(id).await.reason.as_deref(), Some(reason), "{call}");
    }
    let waits: i64 = sqlx::query_scalar("select count(*) from runtime.data_waits")
        .fetch_one(&workshop.root)
        .await
        .unwrap();
    assert_eq!(waits, 0);
    engine.stop().await;
}

#[tokio::test]
async fn one_execution_of_a_tree_reads_what_another_has_kept_and_no_other_tree_does() {
    let workshop = Workshop::new().await;
    let writer = workshop.agent(json!([put("k", "put", &json!("{{ input.name }}"))])).await;
    let reader = workshop.agent(json!([get("k", false)])).await;
    let root = workshop.start(writer, json!({ "name": "Ada" })).await;
    let engine = workshop.engine(quick());
    let kept = json!({ "key": "k", "value": "Ada" });
    assert_eq!(workshop.ended(root).await.output, Some(kept.clone()));
    let below = start_below(&workshop, root, reader).await;
    assert_eq!(workshop.ended(below).await.output, Some(kept));
    let stranger = workshop.start(reader, json!({})).await;
    assert_eq!(workshop.ended(stranger).await.reason.as_deref(), Some("DATA_MISSING"));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_comes_in_the_moment_of_suspending_is_not_missed() {
    let workshop = Workshop::new().await;
    let writer = workshop.agent(json!([put("k", "put", &json!("{{ input.name }}"))])).await;
    let reader = workshop.agent(json!([get("k", true)])).await;
    let engine = workshop.engine(quick());
    for round in 0..40_u64 {
        let root = ExecutionId::generate();
        let mut readers = Vec::new();
        for _ in 0..3 {
            readers.push(start_below(&workshop, root, reader).await);
        }
        sleep(Duration::from_micros(700 * (round % 20))).await;
        start_below(&workshop, root, writer).await;
        for reader in readers {
            let (kept, ended) =
                (json!({ "key": "k", "value": "Ada" }), workshop.ended(reader).await);
            assert_eq!(ended.output, Some(kept), "{ended:?}");
        }
    }
    engine.stop().await;
}
