//! Why an execution is not being done: each fact made for real, and told as it is.

mod queued;

use super::workshop::{Workshop, quick, until};
use common_api::types::{ExecutionExplanation, ExplanationFacts, ExplanationReason as Why};
use runtime_service::store::executions::NewExecution;
use serde_json::json;
use shared_db::{
    clock::Clock,
    error::Reason,
    ids::{AgentId, ExecutionId, InputRequestId, OrganizationId, UserId, WorkerId},
    read::explain,
    scope::{Scope, Service},
};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// As web answers it.
async fn ask(
    workshop: &Workshop,
    org: OrganizationId,
    id: ExecutionId,
) -> shared_db::error::Result<ExecutionExplanation> {
    let db = workshop.database.db(Service::Web);
    let mut tx = db.begin(Scope::Tenant(org, None)).await.unwrap();
    explain::get(&mut tx, org, id).await
}

/// What is told, after a look that it is `why` and that the sentence has these words.
async fn told(workshop: &Workshop, id: ExecutionId, why: Why, words: &[&str]) -> ExplanationFacts {
    let told = ask(workshop, workshop.org, id).await.unwrap();
    assert_eq!(told.reason(), why, "{told:#?}");
    for word in words {
        assert!(told.sentence.contains(word), "{word:?} is not in {:?}", told.sentence);
    }
    assert!(told.sentence.ends_with('.') && !told.sentence.contains("  "), "{:?}", told.sentence);
    assert!(told.read_time.is_some());
    assert_eq!(told.execution_id, id.to_string());
    told.facts.unwrap()
}

/// The moment in `until`, as the sentence writes it, without fractions.
fn seconds(facts: &ExplanationFacts) -> String {
    let until = facts.until.unwrap();
    let time = chrono::DateTime::from_timestamp(until.seconds, 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A worker that is alive and takes nothing.
async fn onlooker(workshop: &Workshop) -> WorkerId {
    let worker = WorkerId::generate();
    workshop.claim(worker, LONG, 0).await;
    worker
}

async fn row(workshop: &Workshop, id: ExecutionId, set: &'static str) {
    let sql = format!("update runtime.execution_queue set {set} where execution_id = '{id}'");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&workshop.root).await.unwrap();
}

/// Suspends an execution as a step that waits does, at a step of this type.
async fn suspended(
    workshop: &Workshop,
    agent: AgentId,
    state: &str,
    step_type: &str,
) -> ExecutionId {
    let id = workshop.start(agent, json!({})).await;
    row(workshop, id, "phase = 'delayed', available_at = 'infinity', attempt = 1").await;
    sqlx::query(
        "update runtime.agent_executions set state = $2::runtime.execution_state where id = $1",
    )
    .bind(id.0)
    .bind(state)
    .execute(&workshop.root)
    .await
    .unwrap();
    sqlx::query(
        "insert into runtime.execution_steps
            (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, wait_until)
         values ($1, $2, 'ask', gen_random_uuid(), 1, $3::runtime.step_type, 'waiting', 'pure', $4, now() + interval '1 hour')",
    )
    .bind(workshop.org.0)
    .bind(id.0)
    .bind(step_type)
    .bind(vec![0_u8; 32])
    .execute(&workshop.root)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn what_is_not_there_or_another_organizations_is_not_found() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let id = workshop.start(agent, json!({})).await;
    for (org, id) in [(workshop.org, ExecutionId::generate()), (OrganizationId::generate(), id)] {
        let refused = ask(&workshop, org, id).await.unwrap_err();
        assert_eq!(refused.kind().1, Reason::ResourceNotFound);
    }
}

#[tokio::test]
async fn a_worker_does_it_is_to_stop_or_to_leave_it_and_is_lost() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let id = workshop.start(agent, json!({})).await;
    let worker = WorkerId::generate();
    workshop.claim(worker, LONG, 1).await;
    let name = worker.to_string();
    let facts = told(&workshop, id, Why::Running, &[&name, "attempt 1"]).await;
    assert_eq!(
        (facts.worker_id.as_str(), facts.attempt, facts.pause_requested),
        (&*name, 1, false)
    );
    workshop.pause(id).await.unwrap();
    let facts = told(&workshop, id, Why::Running, &[&name, "paused before its next step"]).await;
    assert!(facts.pause_requested);
    workshop.cancel(id, "").await.unwrap();
    let facts = told(&workshop, id, Why::Stopping, &[&name, "by force at"]).await;
    assert!(ask(&workshop, workshop.org, id).await.unwrap().sentence.contains(&seconds(&facts)));
    sqlx::query("update runtime.workers set lease_until = now() - interval '1 second'")
        .execute(&workshop.root)
        .await
        .unwrap();
    let facts = told(&workshop, id, Why::WorkerLost, &[&name, "lost", "put back"]).await;
    assert_eq!(facts.worker_id, name);
    assert!(facts.until.is_some());
    sqlx::query("delete from runtime.workers").execute(&workshop.root).await.unwrap();
    told(&workshop, id, Why::WorkerLost, &[&name, "lost"]).await;
}

#[tokio::test]
async fn it_has_ended_and_how() {
    let workshop = Workshop::new().await;
    let (good, bad) =
        (workshop.simple("pure", "/echo").await, workshop.simple("pure", "/status/400").await);
    let engine = workshop.engine(quick());
    let (done, failed) =
        (workshop.start(good, json!({})).await, workshop.start(bad, json!({})).await);
    workshop.ended(done).await;
    workshop.ended(failed).await;
    let facts = told(&workshop, done, Why::Ended, &["ended", "succeeded"]).await;
    assert!(facts.end_time.is_some() && facts.error_reason.is_empty());
    let facts = told(&workshop, failed, Why::Ended, &["ended", "failed", "REMOTE_STATUS"]).await;
    assert_eq!(facts.error_reason, "REMOTE_STATUS");
    engine.stop().await;
}

#[tokio::test]
async fn somebody_paused_it() {
    let workshop = Workshop::new().await;
    onlooker(&workshop).await;
    let agent = workshop.agent(json!([])).await;
    let id = workshop.start(agent, json!({})).await;
    workshop.pause(id).await.unwrap();
    let facts = told(&workshop, id, Why::Paused, &["paused on request", "total limit"]).await;
    let told = ask(&workshop, workshop.org, id).await.unwrap();
    assert!(told.sentence.contains(&seconds(&facts)), "{}", told.sentence);
}

#[tokio::test]
async fn it_was_not_to_begin_before() {
    let workshop = Workshop::new().await;
    onlooker(&workshop).await;
    let agent = workshop.agent(json!([])).await;
    let later = Clock::System.now() + chrono::TimeDelta::hours(2);
    let new = workshop.new_execution(agent, json!({}));
    let id = workshop.start_as(NewExecution { not_before: Some(later), ..new }).await;
    let facts = told(&workshop, id, Why::NotBefore, &["not to begin before"]).await;
    assert_eq!(facts.until.unwrap().seconds, later.timestamp());
}

#[tokio::test]
async fn a_step_that_failed_is_tried_again_later() {
    let workshop = Workshop::new().await;
    let retry =
        json!({ "retry": { "attempts_max": 3, "initial_delay": "3600s", "delay_max": "3600s" } });
    let path = "/status/503?retry_after=3600";
    let action = workshop.action_with("pure", path, json!({}), retry).await;
    let agent = workshop.agent(json!([{ "step_key": "call", "core_action_id": action }])).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    until("the delay", Duration::from_secs(5), async || workshop.place(id).await.0 == "delayed")
        .await;
    let words = ["call", "failed once", "REMOTE_STATUS", "until"];
    let facts = told(&workshop, id, Why::Backoff, &words).await;
    assert_eq!((facts.failures, facts.step_key.as_str()), (1, "call"));
    assert_eq!(facts.error_reason, "REMOTE_STATUS");
    let ahead = facts.until.unwrap().seconds - Clock::System.now().timestamp();
    assert!((3000..=3600).contains(&ahead), "{ahead}");
    engine.stop().await;
}

#[tokio::test]
async fn it_sleeps_and_when_that_is_over_it_does_not() {
    let workshop = Workshop::new().await;
    let agent = workshop.sleeper("3600s").await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.reaches(id, "sleeping").await;
    let facts = told(&workshop, id, Why::Sleeping, &["sleeps", "nap", "until"]).await;
    assert_eq!(facts.step_key, "nap");
    engine.stop().await;
    onlooker(&workshop).await;
    row(&workshop, id, "available_at = now() - interval '1 second'").await;
    told(&workshop, id, Why::Ready, &["ready"]).await;
}

#[tokio::test]
async fn it_waits_for_a_person_a_decision_a_signal_or_an_effect() {
    let workshop = Workshop::new().await;
    onlooker(&workshop).await;
    let agent = workshop.agent(json!([])).await;
    let id = suspended(&workshop, agent, "waiting_input", "input").await;
    let (request, user) = (InputRequestId::generate(), UserId::generate());
    sqlx::query(
        "insert into runtime.input_requests (org_id, id, execution_id, step_key, least_role, expires_at)
         values ($1, $2, $3, 'ask', 'admin', now() + interval '1 hour')",
    )
    .bind(workshop.org.0)
    .bind(request.0)
    .bind(id.0)
    .execute(&workshop.root)
    .await
    .unwrap();
    let name = request.to_string();
    let facts = told(&workshop, id, Why::WaitingInput, &["admin", &name, "ask", "until"]).await;
    assert_eq!((facts.input_request_id, facts.least_role), (name, "admin".to_owned()));
    assert!(facts.until.is_some() && facts.user_ids.is_empty());
    sqlx::query("update runtime.input_requests set user_ids = array[$1]")
        .bind(user.0)
        .execute(&workshop.root)
        .await
        .unwrap();
    let facts = told(&workshop, id, Why::WaitingInput, &["one of 1 users"]).await;
    assert_eq!(facts.user_ids, [user.to_string()]);

    let id = suspended(&workshop, agent, "waiting_input", "http").await;
    let facts = told(&workshop, id, Why::WaitingDecision, &["decide", "ask"]).await;
    assert_eq!(facts.step_key, "ask");
    for state in ["waiting_input", "sleeping"] {
        let id = suspended(&workshop, agent, state, "signal").await;
        let facts = told(&workshop, id, Why::WaitingSignal, &["signal", "ask", "until"]).await;
        assert!(facts.until.is_some());
    }
    let id = suspended(&workshop, agent, "waiting_effect", "memory").await;
    told(&workshop, id, Why::WaitingEffect, &["effect", "ask"]).await;
}

#[tokio::test]
async fn it_waits_for_its_children() {
    let workshop = Workshop::new().await;
    onlooker(&workshop).await;
    let agent = workshop.agent(json!([])).await;
    let id = suspended(&workshop, agent, "waiting_children", "agent").await;
    let mut children = Vec::new();
    for _ in 0..2 {
        let new = workshop.new_execution(agent, json!({}));
        let child = NewExecution { parent_execution_id: Some(id), call_stack: vec![id.0], ..new };
        children.push(workshop.start_as(child).await);
    }
    let facts = told(&workshop, id, Why::WaitingChildren, &["children", "2 have not"]).await;
    assert_eq!(facts.children_live, 2);
    workshop.cancel(children[0], "").await.unwrap();
    told(&workshop, id, Why::WaitingChildren, &["1 has not"]).await;
    // Nobody waits for what is detached.
    row(&workshop, children[1], "detached = true").await;
    let facts = told(&workshop, id, Why::WaitingChildren, &["all have ended"]).await;
    assert_eq!(facts.children_live, 0);
}

#[tokio::test]
async fn it_waits_for_workflow_data() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    for (timeout, words) in
        [("3600s", &["data", "\"plan\"", "get", "until"][..]), ("", &["data"][..])]
    {
        let mut get = json!({ "key": "plan", "wait": true });
        if !timeout.is_empty() {
            get["timeout"] = json!(timeout);
        }
        let agent = workshop.agent(json!([{ "step_key": "get", "get_data": get }])).await;
        let id = workshop.start(agent, json!({})).await;
        workshop.reaches(id, "sleeping").await;
        let facts = told(&workshop, id, Why::WaitingData, words).await;
        assert_eq!((facts.data_key.as_str(), facts.step_key.as_str()), ("plan", "get"));
        assert_eq!(facts.until.is_some(), !timeout.is_empty());
    }
    engine.stop().await;
}
