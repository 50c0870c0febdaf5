//! Processes that are asked to stop: what they have at work is handed back, and nothing of it counts as lost.

use super::{
    waits::Desk,
    workshop::{Workshop, quick, runtime_db, until},
};
use runtime_service::{engine::Engine, store::executions};
use serde_json::json;
use shared_db::{ids::ExecutionId, scope::Scope};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

async fn lost(workshop: &Workshop, id: ExecutionId) -> i64 {
    let sql = "select lost_leases::bigint from runtime.execution_queue where execution_id = $1";
    workshop.count(sql, id).await
}

#[tokio::test]
async fn one_that_was_to_be_paused_after_its_call_is_left_paused_at_once() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/hang").await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/hang", 1).await;
    workshop.pause(id).await.unwrap();
    // Its worker has heard of it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    engine.stop().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(workshop.place(id).await, ("paused".to_owned(), "paused".to_owned(), false, false));
    assert_eq!(lost(&workshop, id).await, 0);
    workshop.check(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_call_has_started_when_the_engine_has_nothing_more_to_do_is_handed_back() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let engine = Engine::new(runtime_db(&workshop.database), quick()).unwrap();
    let desk = Desk::at(&workshop, &engine);
    let stop = CancellationToken::new();
    let running = tokio::spawn(engine.run(stop.clone()));
    let first = ExecutionId::generate();
    desk.start(first, agent).await.unwrap();
    workshop.ended(first).await;
    // It has seen that nothing more is in the queue, so what it accepts it begins itself.
    tokio::time::sleep(Duration::from_millis(300)).await;

    // The start takes its hand and waits: somebody else is about to make an execution of the same id.
    let new = workshop.new_execution(agent, json!({}));
    let id = new.id;
    let mut other = workshop.db.begin(Scope::Platform).await.unwrap();
    assert_eq!(executions::start(&mut other, &[new], None).await.unwrap().len(), 1);
    let (started, ()) = tokio::join!(desk.start(id, agent), async {
        let waits = async || {
            let sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&workshop.root).await.unwrap();
            count > 0
        };
        until("the start to wait", Duration::from_secs(5), waits).await;
        stop.cancel();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!running.is_finished(), "a call may still begin something");
        other.rollback().await.unwrap();
    });
    started.unwrap();
    running.await.unwrap();
    let (phase, state, ..) = workshop.place(id).await;
    assert_eq!((phase.as_str(), state.as_str()), ("ready", "queued"));
    assert_eq!(lost(&workshop, id).await, 0);
    let taken = "select attempt::bigint from runtime.execution_queue where execution_id = $1";
    assert_eq!(workshop.count(taken, id).await, 1, "it was taken by the process that accepted it");
    assert_eq!(workshop.remote.requests().len(), 1, "it was not begun");
    workshop.check(id).await;
}
