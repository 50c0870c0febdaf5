//! Who gets the work: nobody twice, somebody always.

use super::workshop::{Workshop, claim, quick, runtime_db, until};
use runtime_service::{
    engine::EngineConfig,
    store::{
        queue::{self, Seek},
        workers,
    },
};
use serde_json::json;
use shared_db::{ids::WorkerId, scope::Scope};
use std::{collections::HashSet, time::Duration};

const TTL: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_claimers_share_the_work_and_none_gets_what_another_has() {
    const WORK: usize = 300;
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    for _ in 0..WORK {
        workshop.start(agent, json!({})).await;
    }
    let org = workshop.org;
    let claimers = (0..12).map(|number| {
        let db = runtime_db(&workshop.database);
        tokio::spawn(async move {
            let worker = WorkerId::generate();
            let mut mine = Vec::new();
            loop {
                let claimed = claim(&db, org, worker, TTL, 1 + number % 7).await;
                if claimed.is_empty() {
                    break mine;
                }
                mine.extend(claimed.into_iter().map(|it| it.lease.execution));
            }
        })
    });
    let mut all = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), WORK);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), WORK);
    for id in &all[..20] {
        // That it is held is told with the first thing that its worker writes.
        assert_eq!(workshop.kinds(*id).await, ["execution_queued"]);
        workshop.check(*id).await;
    }
}

#[tokio::test]
async fn the_more_urgent_is_claimed_first_and_the_early_before_the_late() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let mut expected = Vec::new();
    for priority in [5, 1, 3, 1] {
        let mut new = workshop.new_execution(agent, json!({}));
        new.priority = priority;
        expected.push((priority, workshop.start_as(new).await));
    }
    expected.sort();
    let mut later = workshop.new_execution(agent, json!({}));
    later.not_before = Some(shared_db::clock::Clock::System.now() + chrono::TimeDelta::hours(1));
    workshop.start_as(later).await;
    let mut claimed = Vec::new();
    loop {
        let one = workshop.claim(WorkerId::generate(), TTL, 1).await;
        let Some(one) = one.first() else { break };
        claimed.push(one.lease.execution);
    }
    assert_eq!(claimed, expected.into_iter().map(|it| it.1).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_dead_worker_held_is_taken_over_after_its_lease() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    workshop.claim(WorkerId::generate(), Duration::from_millis(500), 1).await;
    let began = std::time::Instant::now();
    let engine = workshop.engine(quick());
    let standing = workshop.ended(id).await;
    assert!(began.elapsed() >= Duration::from_millis(400), "the lease was respected");
    assert_eq!((standing.state.as_str(), standing.attempt), ("succeeded", 2));
    let kinds = workshop.kinds(id).await;
    let expected = [
        "execution_queued",
        "execution_started",
        "execution_retry",
        "execution_resumed",
        "step_started",
        "step_succeeded",
        "execution_succeeded",
    ];
    assert_eq!(kinds, expected);
    engine.stop().await;
}

#[tokio::test]
async fn a_worker_that_was_taken_for_dead_keeps_nothing_and_gets_nothing() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    workshop.start(agent, json!({})).await;
    let worker = WorkerId::generate();
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    workers::register(&mut tx, worker, TTL).await.unwrap();
    assert!(workers::renew(&mut tx, worker, Duration::ZERO).await.unwrap(), "it is alive");
    tx.commit().await.unwrap();
    let seek = Seek { org: workshop.org, from_rank: i64::MIN, share: 1 };
    let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
    assert!(queue::claim(&mut tx, worker, &[seek]).await.unwrap().is_empty(), "its lease is over");
    assert_eq!(workers::expire(&mut tx).await.unwrap(), 1);
    assert!(!workers::renew(&mut tx, worker, TTL).await.unwrap(), "it comes back by no renewal");
    assert!(queue::claim(&mut tx, worker, &[seek]).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    assert_eq!(workshop.claim(WorkerId::generate(), TTL, 1).await.len(), 1, "others get it");
}

#[tokio::test]
async fn work_that_kills_its_workers_fails_when_it_has_done_so_too_often() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let id = workshop.start(agent, json!({})).await;
    // An engine without hands only sweeps.
    let config = EngineConfig { worker_concurrency: 0, lost_leases_max: 2, ..quick() };
    let engine = workshop.engine(config);
    let mut deaths = 0;
    while workshop.standing(id).await.state != "failed" {
        deaths += workshop.claim(WorkerId::generate(), Duration::from_millis(50), 1).await.len();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(deaths < 10, "it is never given up");
    }
    let standing = workshop.ended(id).await;
    assert_eq!((deaths, standing.reason.as_deref()), (3, Some("WORKER_LOST")));
    engine.stop().await;
}

#[tokio::test]
async fn a_long_call_keeps_its_lease() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/slow?ms=3000").await;
    let id = workshop.start(agent, json!({})).await;
    let config = EngineConfig { lease_ttl: Duration::from_millis(900), ..quick() };
    let (one, two) = (workshop.engine(config.clone()), workshop.engine(config));
    let standing = workshop.ended(id).await;
    assert_eq!((standing.state.as_str(), standing.attempt), ("succeeded", 1));
    assert_eq!(workshop.remote.requests_to("/slow").len(), 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_stopping_engine_hands_its_work_back_within_a_second() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("idempotent", "/slow?ms=1500").await;
    let id = workshop.start(agent, json!({})).await;
    let config = EngineConfig { lease_ttl: Duration::from_mins(1), ..quick() };
    let first = workshop.engine(config.clone());
    workshop.seen("/slow", 1).await;
    let began = std::time::Instant::now();
    first.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(workshop.standing(id).await.state, "queued");
    workshop.check(id).await;
    let second = workshop.engine(config);
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    let seen = workshop.remote.requests_to("/slow");
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].idempotency_key(), seen[1].idempotency_key());
    assert!(seen[0].idempotency_key().is_some());
    let events = workshop.events(id).await;
    let resumed = events.iter().find(|it| it.kind == "execution_resumed").unwrap();
    assert_eq!(resumed.payload["lost_leases"], 0, "nothing was lost");
    second.stop().await;
}

#[tokio::test]
async fn a_stopping_engine_waits_for_a_call_that_must_not_be_repeated() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("at_most_once", "/slow?ms=700").await;
    let id = workshop.start(agent, json!({})).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 1).await;
    engine.stop().await;
    assert_eq!(workshop.ended(id).await.state, "succeeded");
    assert_eq!(workshop.remote.requests_to("/slow").len(), 1);
}

#[tokio::test]
async fn an_engine_outlives_the_loss_of_every_connection() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/slow?ms=300").await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(workshop.start(agent, json!({})).await);
    }
    let engine = workshop.engine(quick());
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(120)).await;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where usename = 'agent_runtime' and datname = current_database()",
        )
        .execute(&workshop.root)
        .await
        .unwrap();
    }
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
        let steps = workshop
            .count("select count(*) from runtime.execution_steps where execution_id = $1", id)
            .await;
        assert_eq!(steps, 1);
    }
    until("the queue to be empty", Duration::from_secs(1), async || {
        let left: i64 = sqlx::query_scalar("select count(*) from runtime.execution_queue")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
        left == 0
    })
    .await;
    engine.stop().await;
}
