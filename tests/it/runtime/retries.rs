//! What is tried again, how often, and what never is.

use super::workshop::{Workshop, quick};
use serde_json::{Value, json};
use shared_db::ids::AgentId;
use std::time::Duration;

async fn retrying(workshop: &Workshop, side_effect: &str, path: &str, retry: Value) -> AgentId {
    let columns = json!({ "retry": retry });
    let action =
        workshop.action_with(side_effect, path, json!({ "timeout": "0.4s" }), columns).await;
    workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await
}

#[tokio::test]
async fn a_call_that_fails_for_a_while_succeeds_in_the_end_under_one_key() {
    let workshop = Workshop::new().await;
    let retry = json!({ "attempts_max": 5, "initial_delay": "0.05s" });
    let agent = retrying(&workshop, "idempotent", "/flaky?fail=2", retry).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let seen = workshop.remote.requests_to("/flaky");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|it| it.idempotency_key() == seen[0].idempotency_key()));
    let failed = |it: i32| (it, "failed".to_owned(), Some("REMOTE_STATUS".to_owned()));
    let expected = [failed(1), failed(2), (3, "succeeded".to_owned(), None)];
    assert_eq!(workshop.attempts(id).await, expected);
    let events = workshop.events(id).await;
    let retries: Vec<_> = events.iter().filter(|it| it.kind == "step_retry").collect();
    assert_eq!(retries.len(), 2);
    assert_eq!(retries[0].payload["reason"], "REMOTE_STATUS");
    assert!(retries[0].payload["delay_ms"].is_u64());
    engine.stop().await;
}

#[tokio::test]
async fn when_every_attempt_failed_the_execution_says_so_and_why() {
    let workshop = Workshop::new().await;
    let retry = json!({ "attempts_max": 3, "initial_delay": "0.02s" });
    let agent = retrying(&workshop, "pure", "/status/503", retry).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"));
    assert!(standing.message.unwrap().contains("REMOTE_STATUS"));
    assert_eq!(standing.step_key.as_deref(), Some("only"));
    assert_eq!(workshop.remote.requests().len(), 3);
    engine.stop().await;
}

#[tokio::test]
async fn what_no_repetition_mends_is_tried_once() {
    let workshop = Workshop::new().await;
    let retry = json!({ "attempts_max": 5, "initial_delay": "0.02s" });
    let agent = retrying(&workshop, "pure", "/status/404", retry).await;
    let named = json!({ "attempts_max": 5, "non_retryable_reasons": ["REMOTE_STATUS"] });
    let other = retrying(&workshop, "pure", "/status/500", named).await;
    let engine = workshop.engine(quick());
    for (agent, path) in [(agent, "/status/404"), (other, "/status/500")] {
        let id = workshop.start(agent, json!({})).await;
        assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("REMOTE_STATUS"));
        assert_eq!(workshop.remote.requests_to(path).len(), 1);
    }
    engine.stop().await;
}

#[tokio::test]
async fn a_long_delay_is_waited_for_in_the_queue_and_outlives_its_worker() {
    let workshop = Workshop::new().await;
    let retry = json!({ "attempts_max": 2, "initial_delay": "0.01s" });
    let agent = retrying(&workshop, "pure", "/status/503?retry_after=2", retry).await;
    let id = workshop.start(agent, json!({})).await;
    let first = workshop.engine(quick());
    workshop.seen("/status/503", 1).await;
    workshop.reaches(id, "queued").await;
    first.stop().await;
    workshop.check(id).await;
    let (held, wait_ms): (bool, i64) = sqlx::query_as(
        "select worker_id is not null, (extract(epoch from available_at - now()) * 1000)::bigint
         from runtime.execution_queue where execution_id = $1",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap();
    assert!(!held && (500..=2000).contains(&wait_ms), "{held} {wait_ms}");
    // The second worker knows that one attempt was used.
    let second = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!((standing.reason.as_deref(), standing.attempt), (Some("ATTEMPTS_EXHAUSTED"), 2));
    let seen = workshop.remote.requests();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(1900), "Retry-After was honoured");
    let expected =
        ["step_started", "step_retry", "execution_resumed", "step_started", "step_failed"];
    assert_eq!(workshop.kinds(id).await[2..7], expected);
    second.stop().await;
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_is_sent_once_whatever_happens() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let retry = json!({ "attempts_max": 5, "initial_delay": "0.01s" });
    for (path, reason) in [
        // A person is to say what became of these two.
        ("/hang", None),
        ("/reset", None),
        ("/status/500", Some("REMOTE_STATUS")),
        ("/status/503", Some("REMOTE_STATUS")),
    ] {
        let agent = retrying(&workshop, "at_most_once", path, retry.clone()).await;
        let id = workshop.start(agent, json!({})).await;
        if reason.is_some() {
            assert_eq!(workshop.ended(id).await.reason.as_deref(), reason, "{path}");
        } else {
            workshop.reaches(id, "waiting_input").await;
        }
        let seen = workshop.remote.requests_to(path);
        assert_eq!(seen.len(), 1, "{path}");
        assert_eq!(seen[0].idempotency_key(), None);
    }
    engine.stop().await;
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_may_be_tried_again_when_it_was_never_made() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let retry = json!({ "attempts_max": 3, "initial_delay": "0.01s" });
    // Nobody listens there.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let action = workshop
        .action_with(
            "at_most_once",
            "/",
            json!({ "url": format!("http://{port}/") }),
            json!({ "retry": retry }),
        )
        .await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    let id = workshop.start(agent, json!({})).await;
    let standing = workshop.ended(id).await;
    assert_eq!(standing.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"));
    assert!(standing.message.unwrap().contains("REMOTE_UNREACHABLE"));
    assert_eq!(workshop.attempts(id).await.len(), 3);
    // And one that the remote refused.
    let agent = retrying(
        &workshop,
        "at_most_once",
        "/status/429",
        json!({ "attempts_max": 2, "initial_delay": "0.01s" }),
    )
    .await;
    let id = workshop.start(agent, json!({})).await;
    assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"));
    assert_eq!(workshop.remote.requests_to("/status/429").len(), 2);
    engine.stop().await;
}

#[tokio::test]
async fn what_the_call_says_of_retries_goes_before_what_the_action_says() {
    let workshop = Workshop::new().await;
    let retry = json!({ "retry": { "attempts_max": 1 } });
    let action = workshop.action_with("pure", "/status/503", json!({}), retry).await;
    let call = json!({
        "step_key": "only", "core_action_id": action,
        "retry": { "attempts_max": 4, "initial_delay": "0.01s" },
    });
    let agent = workshop.agent(json!([call])).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.ended(id).await;
    assert_eq!(workshop.remote.requests().len(), 4);
    engine.stop().await;
}
