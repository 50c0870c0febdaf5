//! Steps as checkpoints: done once, looked up afterwards, and what passes from one to the next.

use super::workshop::{Workshop, changes, quick};
use runtime_service::{
    engine::EngineConfig,
    store::{
        actions,
        lease::Lease,
        turns::{Change, StepRow},
    },
};
use serde_json::json;
use shared_db::{
    enums::{SideEffect, StepState},
    ids::{CoreActionId, ExecutionId, StepId, WorkerId},
    scope::Scope,
};
use std::time::Duration;

#[tokio::test]
async fn outputs_pass_from_step_to_step_with_their_types() {
    let workshop = Workshop::new().await;
    let post = json!({ "response_filter": ".body" });
    let action = workshop.action("idempotent", "/echo", post).await;
    let agent = workshop
        .agent(json!([
            { "step_key": "first", "core_action_id": action },
            {
                "step_key": "second", "core_action_id": action,
                "input": { "n": "{{ steps.first.n }}", "text": "n is {{ input.n }}", "all": "{{ steps.first }}" },
            },
        ]))
        .await;
    let id = workshop.start(agent, json!({ "n": 3 })).await;
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!(standing.output, Some(json!({ "n": 3, "text": "n is 3", "all": { "n": 3 } })));
    let kinds = workshop.kinds(id).await;
    let expected = [
        "execution_queued",
        "execution_started",
        "step_started",
        "step_succeeded",
        "step_started",
        "step_succeeded",
        "execution_succeeded",
    ];
    assert_eq!(kinds, expected);
    let keys: Vec<_> = workshop
        .remote
        .requests()
        .iter()
        .map(|it| it.idempotency_key().unwrap().to_owned())
        .collect();
    let steps: Vec<String> = sqlx::query_scalar(
        "select id::text from runtime.execution_steps where execution_id = $1 order by sequence",
    )
    .bind(id.0)
    .fetch_all(&workshop.root)
    .await
    .unwrap();
    assert_eq!(keys, steps);
    engine.stop().await;
}

/// Claims the execution as a worker that will die, and leaves a step of it as that worker would.
async fn dead_worker(workshop: &Workshop, step: StepRow) -> (Lease, StepId) {
    let ttl = Duration::from_millis(100);
    let lease = workshop.claim(WorkerId::generate(), ttl, 1).await[0].lease;
    let id = step.id;
    workshop.change(changes::change(&lease, Some(step))).await;
    (lease, id)
}

fn left(key: &str, side_effect: SideEffect) -> StepRow {
    StepRow { side_effect, input_hash: hash_of_empty(), ..changes::step(key) }
}

/// SHA-256 of `{}` in its canonical form.
fn hash_of_empty() -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest("{}").to_vec()
}

#[tokio::test]
async fn an_interrupted_step_is_attempted_again_under_the_same_key() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("idempotent", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    let (_, step) = dead_worker(&workshop, left("only", SideEffect::Idempotent)).await;
    let engine = workshop.engine(quick());
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let seen = workshop.remote.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].idempotency_key(), Some(step.to_string().as_str()));
    let lost = (1, "failed".to_owned(), Some("WORKER_LOST".to_owned()));
    assert_eq!(workshop.attempts(id).await, [lost, (2, "succeeded".to_owned(), None)]);
    engine.stop().await;
}

#[tokio::test]
async fn an_interrupted_step_that_must_not_be_repeated_is_not() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("at_most_once", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    dead_worker(&workshop, left("only", SideEffect::AtMostOnce)).await;
    let engine = workshop.engine(quick());
    // A person is to say what became of it.
    workshop.reaches(id, "waiting_input").await;
    workshop.check(id).await;
    let lost = (1, "failed".to_owned(), Some("WORKER_LOST".to_owned()));
    assert_eq!(workshop.attempts(id).await, [lost]);
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn a_finished_step_is_looked_up_and_not_done_again_nor_is_its_action_needed() {
    let workshop = Workshop::new().await;
    let gone = workshop.action_with("pure", "/echo", json!({}), json!({ "disabled": true })).await;
    let action = workshop.action("pure", "/echo", json!({ "response_filter": ".body" })).await;
    let agent = workshop
        .agent(json!([
            { "step_key": "first", "core_action_id": gone },
            { "step_key": "second", "core_action_id": action, "input": { "got": "{{ steps.first }}" } },
        ]))
        .await;
    let id = workshop.start(agent, json!({})).await;
    let step = left("first", SideEffect::Pure);
    let (lease, _) = dead_worker(&workshop, step.clone()).await;
    let done = StepRow {
        state: StepState::Succeeded,
        output: Some(json!("from before")),
        new: false,
        ..step
    };
    workshop.change(Change { actions: Vec::new(), ..changes::change(&lease, Some(done)) }).await;
    let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
    let open = actions::close_open(&mut tx, &lease, StepState::Succeeded, "", "").await.unwrap();
    assert_eq!(open, 1);
    tx.commit().await.unwrap();
    let engine = workshop.engine(quick());
    assert_eq!(workshop.ended(id).await.output, Some(json!({ "got": "from before" })));
    assert_eq!(workshop.remote.requests().len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn a_step_asked_for_with_another_input_fails_the_execution() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    dead_worker(&workshop, changes::step("only")).await;
    let engine = workshop.engine(quick());
    assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("STEP_INPUT_CHANGED"));
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn inputs_and_outputs_are_held_to_their_schemas() {
    let workshop = Workshop::new().await;
    let number = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let columns = json!({ "input_schema": number });
    let strict = workshop.action_with("pure", "/echo", json!({}), columns).await;
    let columns = json!({ "output_schema": { "type": "array" } });
    let wrong = workshop.action_with("pure", "/echo", json!({}), columns).await;
    let plain = workshop.action("pure", "/echo", json!({})).await;
    let one = |action: CoreActionId| json!([{ "step_key": "only", "core_action_id": action }]);
    let engine = workshop.engine(quick());
    for (agent, reason, sent) in [
        (workshop.agent(one(strict)).await, "SCHEMA_MISMATCH", 0),
        (workshop.agent(one(wrong)).await, "RESPONSE_INVALID", 1),
        (
            workshop.agent_with(one(plain), json!({ "output": { "type": "array" } })).await,
            "SCHEMA_MISMATCH",
            2,
        ),
    ] {
        let id = workshop.start(agent, json!({ "n": "x" })).await;
        let standing = workshop.ended(id).await;
        assert_eq!((standing.state.as_str(), standing.reason.as_deref()), ("failed", Some(reason)));
        assert_eq!(workshop.remote.requests().len(), sent, "{reason}");
    }
    engine.stop().await;
}

#[tokio::test]
async fn what_can_not_be_filled_in_or_found_fails_with_its_step() {
    let workshop = Workshop::new().await;
    let columns = json!({ "disabled": true });
    let disabled = workshop.action_with("pure", "/echo", json!({}), columns).await;
    let action = workshop.action("pure", "/echo", json!({})).await;
    let engine = workshop.engine(quick());
    for (call, reason) in [
        (json!({ "core_action_id": disabled }), "ACTION_UNAVAILABLE"),
        (json!({ "core_action_id": CoreActionId::generate() }), "ACTION_UNAVAILABLE"),
        (
            json!({ "core_action_id": action, "input": { "a": "{{ steps.gone.x }}" } }),
            "INVALID_TEMPLATE",
        ),
    ] {
        let mut call = call;
        call["step_key"] = json!("bad");
        let agent = workshop.agent(json!([call])).await;
        let id = workshop.start(agent, json!({})).await;
        let standing = workshop.ended(id).await;
        assert_eq!(
            (standing.reason.as_deref(), standing.step_key.as_deref()),
            (Some(reason), Some("bad"))
        );
    }
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_executions_on_many_engines_end_once_each_without_gaps() {
    let workshop = Workshop::new().await;
    let action = workshop.action("idempotent", "/echo", json!({})).await;
    let calls: Vec<_> = (0..3)
        .map(|it| json!({ "step_key": format!("s{it}"), "core_action_id": action }))
        .collect();
    let agent = workshop.agent(json!(calls)).await;
    // Nobody dies here: a machine that stands still for a moment takes no lease away.
    let patient = || EngineConfig { lease_ttl: Duration::from_secs(20), ..quick() };
    let engines: Vec<_> = (0..3).map(|_| workshop.engine(patient())).collect();
    let mut ids: Vec<ExecutionId> = Vec::new();
    for number in 0..60 {
        ids.push(workshop.start(agent, json!({ "n": number })).await);
    }
    for id in ids {
        let standing = workshop.ended(id).await;
        assert_eq!((standing.state.as_str(), standing.attempt), ("succeeded", 1));
    }
    let mut keys: Vec<_> = workshop
        .remote
        .requests()
        .iter()
        .map(|it| it.idempotency_key().unwrap().to_owned())
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), workshop.remote.requests().len()), (180, 180));
    for engine in engines {
        engine.stop().await;
    }
}
