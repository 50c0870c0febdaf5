//! Executions that only a person can mend leave a letter; others do not.

use super::workshop::{Workshop, quick};
use runtime_service::{
    engine::EngineConfig,
    store::dead_letters::{self, Selection},
};
use serde_json::json;
use shared_db::{
    ids::{ExecutionId, WorkerId},
    scope::Scope,
};
use std::time::Duration;

async fn letters(workshop: &Workshop) -> Vec<(ExecutionId, String, Option<uuid::Uuid>)> {
    let rows: Vec<(uuid::Uuid, String, Option<uuid::Uuid>)> = sqlx::query_as(
        "select execution_id, reason, redriven_as from runtime.dead_letters order by created_at",
    )
    .fetch_all(&workshop.root)
    .await
    .unwrap();
    rows.into_iter().map(|(id, reason, by)| (ExecutionId(id), reason, by)).collect()
}

#[tokio::test]
async fn every_attempt_failed_leaves_a_letter_and_other_ends_leave_none() {
    let workshop = Workshop::new().await;
    let ends = ["/status/503", "/status/400", "/echo"];
    let mut ids = Vec::new();
    for path in ends {
        let agent = workshop.simple("pure", path).await;
        ids.push(workshop.start(agent, json!({})).await);
    }
    let cancelled = workshop.start(workshop.simple("pure", "/echo").await, json!({})).await;
    workshop.cancel(cancelled, "").await.unwrap();
    let engine = workshop.engine(quick());
    for id in &ids {
        workshop.ended(*id).await;
    }
    assert_eq!(workshop.standing(ids[0]).await.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"));
    assert_eq!(letters(&workshop).await, [(ids[0], "ATTEMPTS_EXHAUSTED".to_owned(), None)]);
    engine.stop().await;
}

#[tokio::test]
async fn a_worker_lost_too_often_leaves_a_letter() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    let config = EngineConfig { worker_concurrency: 0, lost_leases_max: 0, ..quick() };
    workshop.claim(WorkerId::generate(), Duration::from_millis(50), 1).await;
    let engine = workshop.engine(config);
    assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("WORKER_LOST"));
    assert_eq!(letters(&workshop).await, [(id, "WORKER_LOST".to_owned(), None)]);
    engine.stop().await;
}

#[tokio::test]
async fn a_redriven_execution_does_not_repeat_what_was_done_and_the_letter_names_it() {
    let workshop = Workshop::new().await;
    let retry = json!({ "retry": { "attempts_max": 1 } });
    let first = workshop.action_with("idempotent", "/echo", json!({}), retry.clone()).await;
    let second = workshop.action_with("pure", "/flaky?fail=1", json!({}), retry).await;
    let agent = workshop
        .agent(json!([
            { "step_key": "first", "core_action_id": first },
            { "step_key": "second", "core_action_id": second },
        ]))
        .await;
    let old = workshop.start(agent, json!({ "n": 7 })).await;
    let engine = workshop.engine(quick());
    assert_eq!(workshop.ended(old).await.state, "failed");
    let mut tx = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
    let selection = Selection::default();
    let taken = dead_letters::take(&mut tx, workshop.org, &selection, 10).await.unwrap();
    assert_eq!(taken, [old]);
    let new = ExecutionId::generate();
    dead_letters::redrive(&mut tx, workshop.org, old, new, None, None).await.unwrap();
    assert!(dead_letters::take(&mut tx, workshop.org, &selection, 10).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    assert_eq!(workshop.ended(new).await.state, "succeeded");
    assert_eq!(workshop.remote.requests_to("/echo").len(), 1);
    assert_eq!(workshop.remote.requests_to("/flaky").len(), 2);
    assert_eq!(letters(&workshop).await, [(old, "ATTEMPTS_EXHAUSTED".to_owned(), Some(new.0))]);
    let (from, step, root, input): (uuid::Uuid, String, uuid::Uuid, serde_json::Value) =
        sqlx::query_as(
            "select forked_from, forked_from_step, root_execution_id, input
             from runtime.agent_executions where id = $1",
        )
        .bind(new.0)
        .fetch_one(&workshop.root)
        .await
        .unwrap();
    assert_eq!((from, step.as_str(), root), (old.0, "second", new.0));
    assert_eq!(input, json!({ "n": 7 }));
    assert_eq!(workshop.standing(old).await.state, "failed", "what failed stays as it was");
    engine.stop().await;
}
