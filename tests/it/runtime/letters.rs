//! Executions that only a person can mend leave a letter; others do not.

use super::{
    waits::Desk,
    workshop::{Workshop, changes, quick},
};
use common_api::types::{DeadLetterSelection, RedriveBatch, StepDecision};
use runtime_service::{
    engine::EngineConfig,
    store::{executions::NewExecution, turns::StepRow},
};
use serde_json::json;
use shared_db::{
    clock::Clock,
    enums::SideEffect,
    ids::{AgentId, ExecutionId, WorkerId},
    maintain,
};
use sqlx::{Connection, PgConnection};
use std::{collections::HashSet, time::Duration};

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

/// An agent that keeps data, calls `path` once, and says what was kept.
async fn keeper(workshop: &Workshop, path: &str) -> AgentId {
    let retry = json!({ "retry": { "attempts_max": 1 } });
    let first = workshop.action_with("idempotent", "/echo", json!({}), retry.clone()).await;
    let second = workshop.action_with("pure", path, json!({}), retry).await;
    let calls = json!([
        { "step_key": "first", "core_action_id": first },
        { "step_key": "put", "put_data": { "key": "k" }, "input": "kept" },
        { "step_key": "second", "core_action_id": second },
        { "step_key": "get", "get_data": { "key": "k" } },
    ]);
    workshop.agent(calls).await
}

/// An execution that has left a letter.
async fn failed(workshop: &Workshop, new: NewExecution) -> ExecutionId {
    let id = workshop.start_as(new).await;
    assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("ATTEMPTS_EXHAUSTED"));
    id
}

/// Deletes all agents, or brings them back.
async fn delete_agents(workshop: &Workshop, gone: bool) {
    let sql = "update runtime.agents set deleted_at = case when $1 then now() end";
    sqlx::query(sql).bind(gone).execute(&workshop.root).await.unwrap();
}

/// The execution in the place of the one letter that was redriven.
fn only(batch: &RedriveBatch) -> ExecutionId {
    assert_eq!((batch.matched, batch.redriven, batch.done), (1, 1, true), "{batch:?}");
    assert!(batch.skipped.is_empty(), "{batch:?}");
    batch.execution_ids[0].parse().unwrap()
}

/// The id of an execution that was born so many days ago; `tail` tells those of one day apart.
fn born(days: i64, tail: u8) -> ExecutionId {
    let millis = (Clock::System.now() - chrono::TimeDelta::days(days)).timestamp_millis();
    let millis = u64::try_from(millis).unwrap();
    ExecutionId(uuid::Builder::from_unix_timestamp_millis(millis, &[tail; 10]).into_uuid())
}

/// Asserts that the one letter was left alone, and is as open as before.
async fn is_skipped(workshop: &Workshop, desk: &Desk, old: ExecutionId, reason: &str, said: &str) {
    let batch = desk.redrive(&[old]).await;
    assert_eq!((batch.matched, batch.redriven, batch.done), (1, 0, true), "{batch:?}");
    let skipped = &batch.skipped[0];
    assert_eq!((&*skipped.execution_id, &*skipped.reason), (&*old.to_string(), reason));
    assert!(skipped.message.contains(said), "{skipped:?}");
    assert!(letters(workshop).await.iter().any(|it| it.0 == old && it.2.is_none()));
    let sql = "select count(*) from runtime.agent_executions where forked_from = $1";
    assert_eq!(workshop.count(sql, old).await, 0);
}

#[tokio::test]
async fn a_redriven_execution_does_not_repeat_what_was_done_and_the_letter_names_it() {
    let workshop = Workshop::new().await;
    let agent = keeper(&workshop, "/flaky?fail=1").await;
    let engine = workshop.engine(quick());
    let old = failed(&workshop, workshop.new_execution(agent, json!({ "n": 7 }))).await;
    let desk = Desk::of(&workshop);
    let new = only(&desk.redrive(&[old]).await);
    assert_eq!(desk.redrive(&[old]).await.matched, 0, "no letter is redriven twice");
    let ended = workshop.ended(new).await;
    assert_eq!(ended.output, Some(json!({ "key": "k", "value": "kept" })), "{ended:?}");
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

#[tokio::test]
async fn nothing_is_redriven_of_an_agent_that_is_gone() {
    let workshop = Workshop::new().await;
    let agent = keeper(&workshop, "/flaky?fail=1").await;
    let engine = workshop.engine(quick());
    let old = failed(&workshop, workshop.new_execution(agent, json!({}))).await;
    delete_agents(&workshop, true).await;
    let desk = Desk::of(&workshop);
    is_skipped(&workshop, &desk, old, "RESOURCE_NOT_FOUND", "gone, or not shared").await;
    delete_agents(&workshop, false).await;
    let new = only(&desk.redrive(&[old]).await);
    assert_eq!(workshop.ended(new).await.state, "succeeded");
    engine.stop().await;
}

/// Files `count` letters of executions like this one, older than its own.
async fn file_copies(workshop: &Workshop, id: ExecutionId, count: i32) {
    let executions = "
        insert into runtime.agent_executions
        select (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).*
        from runtime.agent_executions as e, generate_series(1, $2)
        where e.id = $1";
    let letters = "
        insert into runtime.dead_letters
        select (jsonb_populate_record(d, jsonb_build_object('execution_id', e.id, 'created_at', d.created_at - interval '1 hour'))).*
        from runtime.dead_letters as d, runtime.agent_executions as e
        where d.execution_id = $1 and e.id <> $1";
    let query = sqlx::query(executions).bind(id.0).bind(count);
    query.execute(&workshop.root).await.unwrap();
    sqlx::query(letters).bind(id.0).execute(&workshop.root).await.unwrap();
}

#[tokio::test]
async fn behind_those_that_were_left_alone_another_call_goes_on() {
    let workshop = Workshop::new().await;
    let agent = keeper(&workshop, "/status/503").await;
    let engine = workshop.engine(quick());
    let old = failed(&workshop, workshop.new_execution(agent, json!({}))).await;
    engine.stop().await;
    file_copies(&workshop, old, 1001).await;
    delete_agents(&workshop, true).await;
    let desk = Desk::of(&workshop);
    let all = || DeadLetterSelection { agent_id: agent.to_string(), ..Default::default() };
    let first = desk.redrive_after(all(), None).await;
    assert_eq!((first.matched, first.redriven, first.done), (1000, 0, false));
    let last = first.last.clone().unwrap();
    let skipped: HashSet<_> = first.skipped.into_iter().map(|it| it.execution_id).collect();
    assert!(skipped.len() == 1000 && skipped.contains(&last.execution_id));
    let rest = desk.redrive_after(all(), Some(last)).await;
    assert_eq!((rest.matched, rest.redriven, rest.done), (2, 0, true));
    assert!(rest.skipped.iter().all(|it| !skipped.contains(&it.execution_id)), "{rest:?}");
    assert_eq!(rest.last.unwrap().execution_id, old.to_string(), "its own letter is the youngest");
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_waits_for_a_decision_in_the_redriven_execution_too() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("at_most_once", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    // A worker is lost during the call, which was the last that may be.
    let lease = workshop.claim(WorkerId::generate(), Duration::from_millis(100), 1).await[0].lease;
    let side_effect = SideEffect::AtMostOnce;
    let any_input = vec![0; 32];
    let step = StepRow { side_effect, input_hash: any_input, ..changes::step("only") };
    workshop.change(changes::change(&lease, Some(step))).await;
    let engine = workshop.engine(EngineConfig { lost_leases_max: 0, ..quick() });
    assert_eq!(workshop.ended(id).await.reason.as_deref(), Some("WORKER_LOST"));
    let desk = Desk::of(&workshop);
    let new = only(&desk.redrive(&[id]).await);
    workshop.reaches(new, "waiting_input").await;
    assert!(workshop.remote.requests().is_empty(), "it may have taken effect");
    desk.decide(new, "only", StepDecision::Succeeded, json!("it did"), 0).await.unwrap();
    assert_eq!(workshop.ended(new).await.output, Some(json!("it did")));
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn nothing_is_redriven_whose_steps_are_not_kept_any_more() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let desk = Desk::of(&workshop);
    for (days, steps_kept, redriven) in [(91, false, false), (91, true, true), (89, false, true)] {
        let id = born(days, u8::from(steps_kept));
        let path = format!("/flaky?fail=1&days={days}&kept={steps_kept}");
        let agent = keeper(&workshop, &path).await;
        let new = NewExecution { id, ..workshop.new_execution(agent, json!({})) };
        let old = failed(&workshop, new).await;
        if !steps_kept {
            sqlx::query("delete from runtime.execution_steps where execution_id = $1")
                .bind(old.0)
                .execute(&workshop.root)
                .await
                .unwrap();
        }
        if redriven {
            // Of a young one there never were any.
            let new = only(&desk.redrive(&[old]).await);
            assert_eq!(workshop.ended(new).await.state, "succeeded");
        } else {
            is_skipped(&workshop, &desk, old, "FORK_IMPOSSIBLE", "not kept any more").await;
        }
    }
    engine.stop().await;
}

#[tokio::test]
async fn no_execution_is_redriven_beside_another_under_its_key() {
    let workshop = Workshop::new().await;
    let agent = keeper(&workshop, "/flaky?fail=1").await;
    let sleeper = workshop.sleeper("3600s").await;
    let engine = workshop.engine(quick());
    let under_key = |agent| {
        let new = workshop.new_execution(agent, json!({}));
        NewExecution { execution_key: Some("order-17".to_owned()), ..new }
    };
    let old = failed(&workshop, under_key(agent)).await;
    let holder = workshop.start_as(under_key(sleeper)).await;
    workshop.reaches(holder, "sleeping").await;
    let desk = Desk::of(&workshop);
    is_skipped(&workshop, &desk, old, "EXECUTION_KEY_TAKEN", "order-17").await;
    workshop.cancel(holder, "").await.unwrap();
    let new = only(&desk.redrive(&[old]).await);
    assert_eq!(workshop.ended(new).await.state, "succeeded");
    let key: Option<String> =
        sqlx::query_scalar("select execution_key from runtime.agent_executions where id = $1")
            .bind(new.0)
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert_eq!(key.as_deref(), Some("order-17"));
    engine.stop().await;
}

#[tokio::test]
async fn a_letter_is_kept_for_as_long_as_others_however_old_its_execution_is() {
    let workshop = Workshop::new().await;
    let (late, old) = (born(200, 1), born(200, 2));
    for (id, days_ago) in [(late, 1), (old, 91)] {
        sqlx::query(
            "insert into runtime.dead_letters (org_id, execution_id, agent_id, reason, created_at)
             values ($1, $2, $2, 'WORKER_LOST', now() - make_interval(days => $3))",
        )
        .bind(workshop.org.0)
        .bind(id.0)
        .bind(days_ago)
        .execute(&workshop.root)
        .await
        .unwrap();
    }
    let mut conn = PgConnection::connect(&workshop.database.maintenance_url()).await.unwrap();
    maintain::run(&mut conn, maintain::Options::default(), &mut |_| {}).await.unwrap();
    let left: Vec<_> = letters(&workshop).await.into_iter().map(|it| it.0).collect();
    assert_eq!(left, [late]);
}
