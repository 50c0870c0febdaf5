//! Questions to people.

use super::{Desk, assert_refused};
use crate::runtime::workshop::{Workshop, limits, quick};
use common_api::options::Role;
use runtime_service::store::executions::Limits;
use serde_json::{Value, json};
use shared_db::{
    error::{Error, Reason},
    ids::{AgentId, UserId},
};
use std::time::Duration;
use tokio::time::sleep;
use tonic::Code;

/// An agent that asks, with these fields of the question, and then says what it was answered.
async fn asking(workshop: &Workshop, fields: Value) -> AgentId {
    workshop
        .agent(json!([
            { "step_key": "ask", "request_input": fields, "input": { "who": "{{ input.name }}" } },
            { "step_key": "tell", "value": {}, "input": { "said": "{{ steps.ask }}" } },
        ]))
        .await
}

#[tokio::test]
async fn a_question_that_nobody_answers_in_time_fails_its_execution() {
    let workshop = Workshop::new().await;
    let agent = asking(&workshop, json!({ "timeout": "0.3s" })).await;
    let id = workshop.start(agent, json!({ "name": "Ada" })).await;
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("INPUT_EXPIRED"));
    assert_eq!(standing.step_key.as_deref(), Some("ask"));
    let question = workshop.question(id).await;
    assert_eq!(workshop.question_state(question).await, "expired");
    let late = Desk::of(&workshop).answer(None, Role::Owner, question, json!(1)).await;
    assert_refused(late, Code::FailedPrecondition, Reason::InputRequestClosed);
    engine.stop().await;
}

#[tokio::test]
async fn the_default_is_taken_when_the_time_has_passed() {
    let workshop = Workshop::new().await;
    let fields = json!({ "timeout": "0.3s", "default_response": { "approved": false } });
    let agent = asking(&workshop, fields).await;
    let id = workshop.start(agent, json!({ "name": "Ada" })).await;
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!(standing.output, Some(json!({ "said": { "approved": false } })));
    assert_eq!(workshop.question_state(workshop.question(id).await).await, "expired");
    engine.stop().await;
}

#[tokio::test]
async fn an_answer_after_the_time_is_refused_also_when_no_worker_has_noticed() {
    let workshop = Workshop::new().await;
    let agent = asking(&workshop, json!({ "timeout": "1s" })).await;
    let id = workshop.start(agent, json!({ "name": "Ada" })).await;
    let engine = workshop.engine(quick());
    let question = workshop.question(id).await;
    engine.stop().await;
    sleep(Duration::from_millis(1100)).await;
    assert_eq!(workshop.question_state(question).await, "open");
    let late = Desk::of(&workshop).answer(None, Role::Owner, question, json!(1)).await;
    assert_refused(late, Code::FailedPrecondition, Reason::InputRequestClosed);
}

#[tokio::test]
async fn an_execution_that_ends_takes_its_question_with_it() {
    let workshop = Workshop::new().await;
    let agent = asking(&workshop, json!({})).await;
    let cancelled = workshop.start(agent, json!({ "name": "Ada" })).await;
    let short = Limits { total: Duration::from_millis(800), ..limits() };
    let agent = workshop.agent(json!([{ "step_key": "ask", "request_input": {} }])).await;
    let late = workshop.start_limited(agent, short).await;
    let engine = workshop.engine(quick());
    let question = workshop.question(cancelled).await;
    workshop.cancel(cancelled, "never mind").await.unwrap();
    assert_eq!(workshop.ended(cancelled).await.state, "cancelled");
    assert_eq!(workshop.ended(late).await.reason.as_deref(), Some("TIME_LIMIT"));
    let desk = Desk::of(&workshop);
    for question in [question, workshop.question(late).await] {
        assert_eq!(workshop.question_state(question).await, "cancelled");
        let answer = desk.answer(None, Role::Owner, question, json!(1)).await;
        assert_refused(answer, Code::FailedPrecondition, Reason::InputRequestClosed);
    }
    engine.stop().await;
}

#[tokio::test]
async fn only_whom_it_is_for_may_answer_and_only_what_it_asks_for() {
    let workshop = Workshop::new().await;
    let (one, other) = (UserId::generate(), UserId::generate());
    let agent = asking(
        &workshop,
        json!({
            "least_role": "admin",
            "user_ids": [one],
            "schema": { "type": "object", "properties": { "days": { "type": "integer" } }, "required": ["days"] },
            "prompt": "How long for {{ input.name }}?",
        }),
    )
    .await;
    let id = workshop.start(agent, json!({ "name": "Ada" })).await;
    let engine = workshop.engine(quick());
    let question = workshop.question(id).await;
    let desk = Desk::of(&workshop);
    let days = json!({ "days": 3 });
    for (user, role) in [
        (Some(one), Role::Developer),
        (Some(other), Role::Owner),
        (None, Role::Platform),
        (Some(one), Role::Unspecified),
        (Some(one), Role::WebService),
    ] {
        let answer = desk.answer(user, role, question, days.clone()).await;
        assert_refused(answer, Code::PermissionDenied, Reason::InputNotYours);
    }
    for (response, path) in [(json!({ "days": "x" }), "response/days"), (json!(3), "response")] {
        let answer = desk.answer(Some(one), Role::Admin, question, response).await;
        let Err(Error::Invalid { reason, violations }) = answer else { panic!("{answer:?}") };
        assert_eq!((reason, violations[0].field.as_str()), (Reason::SchemaMismatch, path));
    }
    let kept = desk.answer(Some(one), Role::Admin, question, days.clone()).await.unwrap();
    assert_eq!(kept.prompt, "How long for Ada?");
    assert_eq!(kept.responded_by, one.to_string());
    assert_eq!(workshop.ended(id).await.output, Some(json!({ "said": { "days": 3 } })));
    engine.stop().await;
}

#[tokio::test]
async fn it_is_answered_once_and_the_same_again_is_the_same() {
    let workshop = Workshop::new().await;
    let agent = asking(&workshop, json!({})).await;
    let id = workshop.start(agent, json!({ "name": "Ada" })).await;
    let engine = workshop.engine(quick());
    let question = workshop.question(id).await;
    let desk = Desk::of(&workshop);
    let user = Some(UserId::generate());
    // A number that PostgreSQL writes otherwise than we do.
    let response = json!({ "n": 1e17, "m": 1.5 });
    let first = desk.answer(user, Role::Owner, question, response.clone()).await.unwrap();
    let again = desk.answer(user, Role::Owner, question, response.clone()).await.unwrap();
    assert_eq!(first.respond_time, again.respond_time);
    for (user, response) in [(user, json!({ "n": 2 })), (Some(UserId::generate()), response)] {
        let answer = desk.answer(user, Role::Owner, question, response).await;
        assert_refused(answer, Code::FailedPrecondition, Reason::InputRequestClosed);
    }
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let told = workshop.kinds(id).await.iter().filter(|it| *it == "input_answered").count();
    assert_eq!(told, 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_answers_at_once_exactly_one_is_taken() {
    let workshop = Workshop::new().await;
    let agent = asking(&workshop, json!({})).await;
    let engine = workshop.engine(quick());
    let (one, two) = (Desk::of(&workshop), Desk::of(&workshop));
    for _ in 0..25 {
        let id = workshop.start(agent, json!({ "name": "Ada" })).await;
        let question = workshop.question(id).await;
        let (a, b) = tokio::join!(
            one.answer(None, Role::Owner, question, json!("a")),
            two.answer(None, Role::Owner, question, json!("b")),
        );
        let (won, lost) = if a.is_ok() { ("a", b) } else { ("b", a) };
        assert_refused(lost, Code::FailedPrecondition, Reason::InputRequestClosed);
        assert_eq!(workshop.ended(id).await.output, Some(json!({ "said": won })));
    }
    engine.stop().await;
}

/// How many times a worker has to have looked in vain beside an answer.
const MEETINGS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_the_moment_of_suspending_is_not_missed() {
    let workshop = Workshop::new().await;
    let agent = asking(&workshop, json!({})).await;
    let engine = workshop.engine(quick());
    let desk = Desk::of(&workshop);
    // How often the two meet is for the machine to say: as many rounds as that takes.
    let (mut met, mut round) = (0, 0);
    while met < MEETINGS {
        assert!(round < 10 * u64::from(MEETINGS), "workers looked in vain {met} times");
        let id = workshop.start(agent, json!({ "name": "Ada" })).await;
        let question = workshop.question(id).await;
        // A worker looks, finds nothing and suspends, again and again, while the answer comes.
        let answered = async {
            sleep(Duration::from_micros(700 * (round % 20))).await;
            desk.answer(None, Role::Owner, question, json!(round)).await.unwrap();
        };
        let nudged = async {
            let mut nudged = 0;
            for _ in 0..20 {
                nudged += u32::from(workshop.nudge(id).await);
                sleep(Duration::from_millis(1)).await;
                if workshop.question_state(question).await != "open" {
                    break;
                }
            }
            nudged
        };
        met += tokio::join!(answered, nudged).1;
        assert_eq!(workshop.ended(id).await.output, Some(json!({ "said": round })));
        round += 1;
    }
    engine.stop().await;
}

#[tokio::test]
async fn a_worker_that_dies_meanwhile_takes_nothing_with_it() {
    let workshop = Workshop::new().await;
    let action = workshop.action("idempotent", "/echo", json!({})).await;
    let agent = workshop
        .agent(json!([
            { "step_key": "before", "core_action_id": action },
            { "step_key": "ask", "request_input": {}, "input": {} },
            { "step_key": "after", "core_action_id": action, "input": { "said": "{{ steps.ask }}" } },
        ]))
        .await;
    let id = workshop.start(agent, json!({})).await;
    let first = workshop.engine(quick());
    let question = workshop.question(id).await;
    workshop.reaches(id, "waiting_input").await;
    drop(first);
    Desk::of(&workshop).answer(None, Role::Owner, question, json!("yes")).await.unwrap();
    let second = workshop.engine(quick());
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    assert_eq!(workshop.remote.requests_to("/echo").len(), 2, "nothing is done twice");
    let kinds = workshop.kinds(id).await;
    for (kind, times) in [
        ("input_requested", 1),
        ("input_answered", 1),
        ("execution_suspended", 1),
        ("execution_woken", 1),
        ("execution_resumed", 1),
        ("step_succeeded", 3),
    ] {
        assert_eq!(kinds.iter().filter(|it| *it == kind).count(), times, "{kind} in {kinds:?}");
    }
    second.stop().await;
}
