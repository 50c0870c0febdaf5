//! Asking an execution to stop, wherever it stands.

use super::workshop::{
    Workshop,
    changes::{again, change, event, step},
    quick,
};
use runtime_service::{
    engine::EngineConfig,
    store::{
        executions::{self, End, Insistence},
        lease::Lease,
        turns::{self, Change, Changed, Fate},
    },
};
use serde_json::json;
use shared_db::{
    enums::{EventType, StepState},
    error::Reason,
    ids::{AgentId, ExecutionId, WorkerId},
    scope::Scope,
};
use std::time::{Duration, Instant};

#[tokio::test]
async fn one_that_waits_is_cancelled_at_once() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.cancel(id, "no longer wanted").await.unwrap();
    let standing = workshop.ended(id).await;
    assert_eq!(standing.state, "cancelled");
    assert_eq!(standing.reason.as_deref(), Some("CANCELLED"));
    assert_eq!(standing.message.as_deref(), Some("no longer wanted"));
    assert_eq!(workshop.kinds(id).await, ["execution_queued", "execution_cancelled"]);
    // Asking again changes nothing.
    workshop.cancel(id, "again").await.unwrap();
    assert_eq!(workshop.kinds(id).await.len(), 2);
}

#[tokio::test]
async fn one_that_runs_stops_within_a_second_and_says_why() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("at_most_once", "/hang").await;
    let id = workshop.start(agent, json!({})).await;
    let config = EngineConfig {
        cancel_interval: EngineConfig::default().cancel_interval,
        lease_ttl: Duration::from_secs(30),
        ..quick()
    };
    let engine = workshop.engine(config);
    workshop.seen("/hang", 1).await;
    let began = Instant::now();
    workshop.cancel(id, "wrong address").await.unwrap();
    workshop.cancel(id, "again").await.unwrap();
    let standing = workshop.ended(id).await;
    assert!(began.elapsed() < Duration::from_millis(1200), "{:?}", began.elapsed());
    assert_eq!(
        (standing.state.as_str(), standing.message.as_deref()),
        ("cancelled", Some("wrong address"))
    );
    let kinds = workshop.kinds(id).await;
    let tail = ["step_started", "cancel_requested", "execution_cancelled"];
    assert_eq!(kinds[kinds.len() - 3..], tail);
    let (state, reason): (String, String) = sqlx::query_as(
        "select state::text, error_reason from runtime.execution_steps where execution_id = $1",
    )
    .bind(id.0)
    .fetch_one(&workshop.root)
    .await
    .unwrap();
    assert_eq!((state.as_str(), reason.as_str()), ("cancelled", "STEP_OUTCOME_UNKNOWN"));
    engine.stop().await;
}

#[tokio::test]
async fn one_that_waits_for_its_next_attempt_is_cancelled_at_once() {
    let workshop = Workshop::new().await;
    let retry =
        json!({ "retry": { "attempts_max": 3, "initial_delay": "3600s", "delay_max": "3600s" } });
    let action =
        workshop.action_with("pure", "/status/503?retry_after=3600", json!({}), retry).await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/status/503", 1).await;
    workshop.reaches(id, "queued").await;
    workshop.cancel(id, "").await.unwrap();
    let standing = workshop.standing(id).await;
    assert_eq!(
        (standing.state.as_str(), standing.message.as_deref()),
        ("cancelled", Some("cancelled on request"))
    );
    workshop.check(id).await;
    engine.stop().await;
}

#[tokio::test]
async fn one_whose_worker_is_dead_is_cancelled_when_the_lease_ends() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.claim(WorkerId::generate(), Duration::from_millis(300), 1).await;
    workshop.cancel(id, "stop").await.unwrap();
    assert_eq!(workshop.standing(id).await.state, "running");
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert_eq!((standing.state.as_str(), standing.message.as_deref()), ("cancelled", Some("stop")));
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn one_that_has_ended_can_not_be_stopped_and_one_that_is_not_there_is_not_found() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let error = workshop.cancel(id, "").await.unwrap_err();
    assert_eq!(error.kind().1, Reason::ExecutionState);
    let error = workshop.cancel(ExecutionId::generate(), "").await.unwrap_err();
    assert_eq!(error.kind().1, Reason::ResourceNotFound);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_at_any_moment_ends_it_once_and_leaves_no_gap() {
    let workshop = Workshop::new().await;
    let action = workshop.action("pure", "/slow?ms=15", json!({})).await;
    let calls: Vec<_> = (0..4)
        .map(|it| json!({ "step_key": format!("s{it}"), "core_action_id": action }))
        .collect();
    let agent = workshop.agent(json!(calls)).await;
    let engine = workshop.engine(quick());
    let mut ids = Vec::new();
    for number in 0..30 {
        let id = workshop.start(agent, json!({})).await;
        tokio::time::sleep(Duration::from_millis(number * 7 % 60)).await;
        match workshop.cancel(id, "").await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind().1, Reason::ExecutionState),
        }
        ids.push(id);
    }
    let mut states = std::collections::BTreeSet::new();
    for id in ids {
        states.insert(workshop.ended(id).await.state);
    }
    assert!(states.contains("cancelled"), "{states:?}");
    assert!(!states.contains("failed"), "{states:?}");
    engine.stop().await;
}

/// An execution that a worker holds with a step under way, and how that ends.
async fn under_way(workshop: &Workshop, agent: AgentId, fate: &Fate) -> Change {
    workshop.start(agent, json!({})).await;
    let claimed = workshop.claim(WorkerId::generate(), Duration::from_mins(1), 1).await;
    let begun = change(&claimed[0].lease, Some(step("only")));
    workshop.change(begun.clone()).await;
    let mut done = Change { fate: fate.clone(), ..again(begun) };
    done.steps[0].state = StepState::Succeeded;
    done.actions[0].state = StepState::Succeeded;
    done.events = vec![event(EventType::StepSucceeded)];
    if let Fate::End(_) = fate {
        done.events.push(event(EventType::ExecutionSucceeded));
    }
    done
}

/// A write that waits for whoever asks goes by what the row has become, and is made whole or not at all; and so are those of its batch.
#[tokio::test]
async fn what_is_written_while_somebody_asks_is_written_whole() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let success = End::Succeeded { output: json!("done") };
    for (fate, asked, state) in [
        (Fate::Keep, Changed::Done, "running"),
        (Fate::KeepUnlessAsked, Changed::Yielded, "running"),
        (Fate::Leave(Duration::from_mins(1)), Changed::Yielded, "running"),
        (Fate::End(success), Changed::Done, "succeeded"),
    ] {
        for position in 0..3 {
            let mut batch = Vec::new();
            for _ in 0..3 {
                batch.push(under_way(&workshop, agent, &fate).await);
            }
            let ids: Vec<_> = batch.iter().map(|it| it.lease.execution).collect();
            let mut asking = workshop.db.begin(Scope::Tenant(workshop.org, None)).await.unwrap();
            let insistence = Insistence { force: false, grace: Duration::from_mins(1) };
            let id = ids[position];
            executions::cancel(&mut asking, workshop.org, id, "", insistence).await.unwrap();
            let db = workshop.db.clone();
            let writing = tokio::spawn(async move {
                let mut tx = db.begin_by_primary_key(Scope::Platform).await.unwrap();
                let applied = turns::apply(&mut tx, &batch).await.unwrap();
                tx.commit().await.unwrap();
                applied.changed
            });
            workshop.database.until_somebody_waits().await;
            asking.commit().await.unwrap();
            let mut expected = [Changed::Done; 3];
            expected[position] = asked;
            assert_eq!(writing.await.unwrap(), expected, "{fate:?}, {position}");
            assert_eq!(workshop.standing(id).await.state, state, "{fate:?}, {position}");
            for (it, changed) in ids.into_iter().zip(expected) {
                workshop.check(it).await;
                let sql = "select state::text from runtime.execution_steps where execution_id = $1";
                let step: String =
                    sqlx::query_scalar(sql).bind(it.0).fetch_one(&workshop.root).await.unwrap();
                let written = if changed == Changed::Done { "succeeded" } else { "running" };
                assert_eq!(step, written, "{fate:?}, {position}");
            }
        }
    }
}

#[tokio::test]
async fn a_holder_that_does_not_listen_is_ended_after_the_grace_and_not_before() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("at_most_once", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    // Alive, and deaf.
    let claimed = workshop.claim(WorkerId::generate(), Duration::from_mins(1), 1).await.remove(0);
    let began = Instant::now();
    let grace = Duration::from_millis(600);
    let asked = Insistence { force: false, grace };
    workshop.cancel_as(id, "please", asked).await.unwrap();
    // Asking again gives no more time, and takes none.
    workshop
        .cancel_as(id, "", Insistence { grace: Duration::from_mins(1), ..asked })
        .await
        .unwrap();
    let engine = workshop.engine(EngineConfig { worker_concurrency: 0, ..quick() });
    let standing = workshop.ended(id).await;
    let took = began.elapsed();
    assert!(grace <= took && took < grace + Duration::from_secs(1), "{took:?}");
    assert_eq!(
        (standing.state.as_str(), standing.message.as_deref()),
        ("cancelled", Some("please"))
    );
    fenced(&workshop, &claimed.lease).await;
    engine.stop().await;
}

#[tokio::test]
async fn force_ends_it_at_once_and_fences_its_holder() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("at_most_once", "/echo").await;
    let (id, asked) =
        (workshop.start(agent, json!({})).await, workshop.start(agent, json!({})).await);
    let claimed = workshop.claim(WorkerId::generate(), Duration::from_mins(1), 2).await;
    // Also when it was asked before.
    workshop.cancel(asked, "please").await.unwrap();
    for id in [id, asked] {
        workshop.cancel_by_force(id).await.unwrap();
        let standing = workshop.standing(id).await;
        assert_eq!((standing.state.as_str(), standing.attempt), ("cancelled", 1));
        workshop.check(id).await;
        workshop.cancel_by_force(id).await.unwrap();
    }
    for it in claimed {
        fenced(&workshop, &it.lease).await;
        workshop.check(it.lease.execution).await;
    }
}

#[tokio::test]
async fn force_against_a_worker_in_the_middle_of_a_call_wins() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/slow?ms=500").await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 1).await;
    workshop.cancel_by_force(id).await.unwrap();
    assert_eq!(workshop.standing(id).await.state, "cancelled");
    let events = workshop.events(id).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(workshop.events(id).await, events, "its worker writes nothing more");
    workshop.check(id).await;
    engine.stop().await;
}

/// What its former holder writes changes nothing.
async fn fenced(workshop: &Workshop, lease: &Lease) {
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    let write = change(lease, Some(step("only")));
    assert_eq!(turns::apply(&mut tx, &[write]).await.unwrap().changed, [Changed::Fenced]);
}
