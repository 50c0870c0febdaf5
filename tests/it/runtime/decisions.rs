//! Steps that must not be repeated and whose outcome nobody knows: a person decides, and nothing happens before.

use super::{
    waits::{Desk, assert_refused},
    workshop::{Workshop, limits, quick},
};
use common_api::types::StepDecision;
use runtime_service::store::executions::Limits;
use serde_json::{Value, json};
use shared_db::{
    error::{Error, Reason},
    ids::{ExecutionId, SignalId},
};
use std::time::Duration;
use tonic::Code;

/// An execution whose first step is sent and never answered, so that its outcome is unknown; the second says what it came to.
async fn undecided(workshop: &Workshop, limits: Limits) -> ExecutionId {
    let action = workshop.action("at_most_once", "/reset", json!({})).await;
    let agent = workshop
        .agent(json!([
            { "step_key": "pay", "core_action_id": action },
            { "step_key": "tell", "value": {}, "input": { "paid": "{{ steps.pay }}" } },
        ]))
        .await;
    let id = workshop.start_limited(agent, limits).await;
    workshop.reaches(id, "waiting_input").await;
    id
}

/// State, reason, decision and attempt of the step.
async fn step(
    workshop: &Workshop,
    id: ExecutionId,
) -> (String, Option<String>, Option<String>, i32) {
    sqlx::query_as(
        "select state::text, error_reason, decision::text, attempt
         from runtime.execution_steps where execution_id = $1 and step_key = 'pay'",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap()
}

const UNKNOWN: &str = "STEP_OUTCOME_UNKNOWN";

#[tokio::test]
async fn it_waits_without_a_worker_and_says_why() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let id = undecided(&workshop, limits()).await;
    workshop.check(id).await;
    let (state, reason, decision, attempt) = step(&workshop, id).await;
    assert_eq!(
        (state.as_str(), reason.as_deref(), decision, attempt),
        ("waiting", Some(UNKNOWN), None, 1)
    );
    let events = workshop.events(id).await;
    let waits = events.iter().find(|it| it.kind == "step_waiting").unwrap();
    assert_eq!(waits.payload["reason"], UNKNOWN);
    assert_eq!(events.last().unwrap().kind, "execution_suspended");
    let held: i64 =
        sqlx::query_scalar("select count(*) from runtime.execution_queue where phase = 'held'")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert_eq!(held, 0);
    // Whatever else comes, and however often somebody looks, it is not repeated.
    Desk::of(&workshop).signal(id, SignalId::generate(), "x", json!({})).await.unwrap();
    for _ in 0..3 {
        let mut tx =
            workshop.db.begin(shared_db::scope::Scope::Tenant(workshop.org, None)).await.unwrap();
        runtime_service::store::queue::wake(&mut tx, workshop.org, id).await.unwrap();
        tx.commit().await.unwrap();
        workshop.reaches(id, "waiting_input").await;
    }
    assert_eq!(workshop.remote.requests().len(), 1);
    engine.stop().await;
}

#[tokio::test]
async fn one_that_took_effect_goes_on_with_its_output() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let id = undecided(&workshop, limits()).await;
    let desk = Desk::of(&workshop);
    let output = json!({ "receipt": 17 });
    for _ in 0..2 {
        let succeeded = StepDecision::Succeeded;
        let step = desk.decide(id, "pay", succeeded, output.clone(), 1).await.unwrap();
        assert_eq!(step.decision(), succeeded);
    }
    let standing = workshop.ended(id).await;
    assert_eq!(standing.output, Some(json!({ "paid": { "receipt": 17 } })));
    assert_eq!(workshop.remote.requests().len(), 1);
    let kinds = workshop.kinds(id).await;
    assert_eq!(kinds.iter().filter(|it| *it == "step_decided").count(), 1, "{kinds:?}");
    for (decision, output) in [
        (StepDecision::Succeeded, json!({ "receipt": 18 })),
        (StepDecision::Failed, Value::Null),
        (StepDecision::Repeat, Value::Null),
    ] {
        let late = desk.decide(id, "pay", decision, output, 1).await;
        assert_refused(late, Code::FailedPrecondition, Reason::StepNotUndecided);
    }
    engine.stop().await;
}

#[tokio::test]
async fn what_somebody_says_that_it_came_to_is_what_its_action_may_come_to() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let schema = json!({ "type": "object", "properties": { "receipt": { "type": "integer" } } });
    let columns = json!({ "output_schema": schema });
    let action = workshop.action_with("at_most_once", "/reset", json!({}), columns).await;
    let call = json!({ "step_key": "pay", "core_action_id": action });
    let id = workshop.start(workshop.agent(json!([call])).await, json!({})).await;
    workshop.reaches(id, "waiting_input").await;
    let desk = Desk::of(&workshop);
    let decide = async |output| desk.decide(id, "pay", StepDecision::Succeeded, output, 0).await;
    let refused = decide(json!({ "receipt": "seventeen" })).await.unwrap_err();
    assert_eq!(refused.kind(), (Code::InvalidArgument, Reason::SchemaMismatch));
    let Error::Invalid { violations, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(violations[0].field, "output/receipt");
    assert_eq!(step(&workshop, id).await.0, "waiting");
    decide(json!({ "receipt": 17 })).await.unwrap();
    assert_eq!(workshop.ended(id).await.output, Some(json!({ "receipt": 17 })));
    // What was taken is taken, whatever its action asks for by now.
    sqlx::query("update web.core_actions set output_schema = '{\"type\": \"null\"}', etag = gen_random_uuid()")
        .execute(&workshop.root)
        .await
        .unwrap();
    decide(json!({ "receipt": 17 })).await.unwrap();
    engine.stop().await;
}

#[tokio::test]
async fn one_that_failed_takes_its_execution_with_it() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let id = undecided(&workshop, limits()).await;
    engine.stop().await;
    let desk = Desk::of(&workshop);
    for _ in 0..2 {
        desk.decide(id, "pay", StepDecision::Failed, Value::Null, 0).await.unwrap();
    }
    let standing = workshop.ended(id).await;
    assert_eq!((standing.state.as_str(), standing.reason.as_deref()), ("failed", Some(UNKNOWN)));
    assert_eq!(standing.step_key.as_deref(), Some("pay"));
    let kinds = workshop.kinds(id).await;
    assert_eq!(kinds[kinds.len() - 3..], ["step_decided", "step_failed", "execution_failed"]);
}

#[tokio::test]
async fn one_that_is_to_be_repeated_is_done_once_for_each_decision() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let id = undecided(&workshop, limits()).await;
    let desk = Desk::of(&workshop);
    for attempt in 1..=2 {
        desk.decide(id, "pay", StepDecision::Repeat, Value::Null, attempt).await.unwrap();
        workshop.seen("/reset", usize::try_from(attempt).unwrap() + 1).await;
        workshop.reaches(id, "waiting_input").await;
        let (state, reason, _, now) = step(&workshop, id).await;
        assert_eq!(
            (state.as_str(), reason.as_deref(), now),
            ("waiting", Some(UNKNOWN), attempt + 1)
        );
        // The same command again is the one that was taken.
        desk.decide(id, "pay", StepDecision::Repeat, Value::Null, attempt).await.unwrap();
        let other = desk.decide(id, "pay", StepDecision::Failed, Value::Null, attempt).await;
        assert_refused(other, Code::FailedPrecondition, Reason::StepNotUndecided);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(workshop.remote.requests().len(), 3);
    assert_eq!(workshop.attempts(id).await.len(), 3);
    engine.stop().await;
}

#[tokio::test]
async fn there_is_nothing_to_decide_about_other_steps() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let agent = workshop.agent(json!([{ "step_key": "ask", "request_input": {} }])).await;
    let id = workshop.start(agent, json!({})).await;
    workshop.reaches(id, "waiting_input").await;
    let desk = Desk::of(&workshop);
    let waits = desk.decide(id, "ask", StepDecision::Repeat, Value::Null, 0).await;
    assert_refused(waits, Code::FailedPrecondition, Reason::StepNotUndecided);
    let unknown = desk.decide(id, "none", StepDecision::Repeat, Value::Null, 0).await;
    assert_refused(unknown, Code::NotFound, Reason::ResourceNotFound);
    let nowhere = ExecutionId::generate();
    let nowhere = desk.decide(nowhere, "ask", StepDecision::Repeat, Value::Null, 0).await;
    assert_refused(nowhere, Code::NotFound, Reason::ResourceNotFound);
    engine.stop().await;
}

#[tokio::test]
async fn an_execution_that_ends_undecided_says_that_the_outcome_is_unknown() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let cancelled = undecided(&workshop, limits()).await;
    workshop.cancel(cancelled, "").await.unwrap();
    let short = Limits { total: Duration::from_secs(2), ..limits() };
    let late = undecided(&workshop, short).await;
    assert_eq!(workshop.ended(late).await.reason.as_deref(), Some("TIME_LIMIT"));
    assert_eq!(workshop.ended(cancelled).await.state, "cancelled");
    for (id, state) in [(cancelled, "cancelled"), (late, "failed")] {
        let (is, reason, ..) = step(&workshop, id).await;
        assert_eq!((is.as_str(), reason.as_deref()), (state, Some(UNKNOWN)));
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_decisions_at_once_exactly_one_is_taken() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let (one, two) = (Desk::of(&workshop), Desk::of(&workshop));
    for _ in 0..8 {
        let id = undecided(&workshop, limits()).await;
        let (a, b) = tokio::join!(
            one.decide(id, "pay", StepDecision::Succeeded, json!("a"), 1),
            two.decide(id, "pay", StepDecision::Failed, Value::Null, 1),
        );
        let state = if a.is_ok() { "succeeded" } else { "failed" };
        let lost = if a.is_ok() { b } else { a };
        assert_refused(lost, Code::FailedPrecondition, Reason::StepNotUndecided);
        assert_eq!(workshop.ended(id).await.state, state);
    }
    engine.stop().await;
}
