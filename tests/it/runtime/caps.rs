//! Limits on how many executions are under way at once: kept by many engines together, and forgotten by none.

use super::workshop::{Running, Workshop, quick, until};
use freehold_tests::remote::Seen;
use runtime_service::{engine::EngineConfig, store::executions::NewExecution};
use serde_json::json;
use shared_db::{
    enums::LimitSubject,
    ids::{AgentId, ExecutionId, PlatformId, WorkerId},
};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Most executions that were held at one moment, as the tables say: of all, of an agent, of a platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Most {
    all: i64,
    agent: i64,
    platform: i64,
}

/// Looks again and again until it is stopped.
fn sample(workshop: &Workshop, agent: AgentId, platform: PlatformId) -> JoinHandle<Most> {
    let root = workshop.root.clone();
    tokio::spawn(async move {
        let mut most = Most::default();
        loop {
            let (all, of_agent, of_platform, left): (i64, i64, i64, i64) = sqlx::query_as(
                "select count(*) filter (where phase = 'held'),
                    count(*) filter (where phase = 'held' and agent_id = $1),
                    count(*) filter (where phase = 'held' and $2 = any(platforms)),
                    count(*)
                 from runtime.execution_queue",
            )
            .bind(agent.0)
            .bind(platform.0)
            .fetch_one(&root)
            .await
            .unwrap();
            most.all = most.all.max(all);
            most.agent = most.agent.max(of_agent);
            most.platform = most.platform.max(of_platform);
            if left == 0 {
                return most;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
}

/// Most requests that were under way at once, as the remote saw them: each takes `took` from its arrival at the least.
fn overlap(seen: &[Seen], took: Duration) -> usize {
    let under_way = |at: Instant| seen.iter().filter(|it| it.at <= at && at < it.at + took).count();
    seen.iter().map(|it| under_way(it.at)).max().unwrap_or(0)
}

/// They keep their leases, whatever else the machine does: what is done twice would be counted twice.
fn engines(workshop: &Workshop, count: usize) -> Vec<Running> {
    let config = EngineConfig { lease_ttl: EngineConfig::default().lease_ttl, ..quick() };
    (0..count).map(|_| workshop.engine(config.clone())).collect()
}

async fn start_on(
    workshop: &Workshop,
    agent: AgentId,
    platforms: &[PlatformId],
    count: usize,
) -> Vec<ExecutionId> {
    let platforms: Vec<_> = platforms.iter().map(|it| it.0).collect();
    let new = || NewExecution {
        platforms: platforms.clone(),
        ..workshop.new_execution(agent, json!({}))
    };
    let all: Vec<_> = (0..count).map(|_| new()).collect();
    workshop.start_all(&all).await;
    all.iter().map(|it| it.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_limit_is_ever_exceeded_by_many_engines_and_all_work_is_done() {
    const TOOK: Duration = Duration::from_millis(60);
    let workshop = Workshop::new().await;
    let (one, two, three) = (
        workshop.simple("pure", "/slow?ms=60&of=one").await,
        workshop.simple("pure", "/slow?ms=60&of=two").await,
        workshop.simple("pure", "/slow?ms=60&of=three").await,
    );
    let platform = PlatformId::generate();
    workshop.limit_all(Some(6)).await;
    workshop.limit(LimitSubject::Agent, one.0, 2).await;
    workshop.limit(LimitSubject::Platform, platform.0, 3).await;
    let mut ids = start_on(&workshop, one, &[platform], 20).await;
    ids.extend(start_on(&workshop, two, &[platform], 20).await);
    ids.extend(start_on(&workshop, three, &[], 40).await);
    let most = sample(&workshop, one, platform);
    let began = Instant::now();
    let engines = engines(&workshop, 4);
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
    }
    let took = began.elapsed();
    let most = most.await.unwrap();
    assert!(most.all <= 6 && most.agent <= 2 && most.platform <= 3, "{most:?}");
    assert_eq!(most.all, 6, "the limit is used");
    let seen = workshop.remote.requests_to("/slow");
    let of = |names: &[&str]| {
        let named = |it: &&Seen| names.contains(&it.parameter("of").unwrap().as_str());
        overlap(&seen.iter().filter(named).cloned().collect::<Vec<_>>(), TOOK)
    };
    assert_eq!(seen.len(), 80);
    assert!(of(&["one", "two", "three"]) <= 6);
    assert!(of(&["one"]) <= 2);
    assert!(of(&["one", "two"]) <= 3);
    // 40 under the platform's limit of 3 take 14 rounds of 60 ms; slots that stay empty until the next look would make minutes of it.
    assert!(took < Duration::from_secs(12), "{took:?}");
    for engine in engines {
        engine.stop().await;
    }
}

#[tokio::test]
async fn under_a_limit_of_nothing_nothing_begins_and_more_room_is_used_within_a_second() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    workshop.limit_all(Some(0)).await;
    let ids = start_on(&workshop, agent, &[], 3).await;
    // Settings as they are shipped: the promise does not hang on a short poll.
    let config = EngineConfig { poll_interval: EngineConfig::default().poll_interval, ..quick() };
    let engine = workshop.engine(config);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(workshop.remote.requests().is_empty());
    workshop.limit_all(Some(1)).await;
    let began = Instant::now();
    workshop.seen("/echo", 1).await;
    assert!(began.elapsed() < Duration::from_millis(1300), "{:?}", began.elapsed());
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
    }
    engine.stop().await;
}

#[tokio::test]
async fn an_agent_at_its_limit_does_not_keep_others_of_its_organization() {
    let workshop = Workshop::new().await;
    let (capped, free) =
        (workshop.simple("pure", "/hang").await, workshop.simple("pure", "/echo").await);
    workshop.limit(LimitSubject::Agent, capped.0, 1).await;
    start_on(&workshop, capped, &[], 200).await;
    let ids = start_on(&workshop, free, &[], 5).await;
    let engine = workshop.engine(quick());
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
    }
    assert_eq!(workshop.remote.requests_to("/hang").len(), 1);
    drop(engine);
}

#[tokio::test]
async fn an_agent_or_platform_without_room_begins_nothing() {
    let workshop = Workshop::new().await;
    let (none, some) =
        (workshop.simple("pure", "/slow?ms=1").await, workshop.simple("pure", "/echo").await);
    let platform = PlatformId::generate();
    workshop.limit(LimitSubject::Agent, none.0, 0).await;
    workshop.limit(LimitSubject::Platform, platform.0, 0).await;
    start_on(&workshop, none, &[], 3).await;
    start_on(&workshop, some, &[PlatformId::generate(), platform], 3).await;
    let ids = start_on(&workshop, some, &[PlatformId::generate()], 3).await;
    let engine = workshop.engine(quick());
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(workshop.remote.requests().len(), 3);
    engine.stop().await;
}

#[tokio::test]
async fn a_limit_below_what_is_under_way_waits_for_it_and_takes_nothing() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/slow?ms=700").await;
    workshop.limit_all(Some(4)).await;
    let ids = start_on(&workshop, agent, &[], 6).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 4).await;
    workshop.limit_all(Some(2)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(workshop.remote.requests_to("/slow").len(), 4);
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
    }
    let seen = workshop.remote.requests_to("/slow");
    assert!(overlap(&seen[4..], Duration::from_millis(700)) <= 2);
    engine.stop().await;
}

#[tokio::test]
async fn the_slots_of_a_lost_worker_come_back() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/echo").await;
    let ids = start_on(&workshop, agent, &[], 5).await;
    let taken = workshop.claim(WorkerId::generate(), Duration::from_millis(600), 3).await;
    assert_eq!(taken.len(), 3);
    workshop.limit_all(Some(3)).await;
    let engine = workshop.engine(quick());
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert!(workshop.remote.requests().is_empty(), "the worker is not known to be lost yet");
    for id in ids {
        assert_eq!(workshop.ended(id).await.state, "succeeded");
    }
    engine.stop().await;
}

#[tokio::test]
async fn an_organization_that_loses_its_limits_is_served_like_any_other() {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/slow?ms=300").await;
    workshop.limit_all(Some(1)).await;
    start_on(&workshop, agent, &[], 8).await;
    let engine = workshop.engine(quick());
    workshop.seen("/slow", 1).await;
    workshop.limit_all(None).await;
    let rows: i64 = sqlx::query_scalar("select count(*) from runtime.organization_limits")
        .fetch_one(&workshop.root)
        .await
        .unwrap();
    assert_eq!(rows, 0);
    until("all at once", Duration::from_secs(1), async || {
        let seen = workshop.remote.requests_to("/slow");
        8 <= seen.len() && 4 <= overlap(&seen, Duration::from_millis(300))
    })
    .await;
    engine.stop().await;
}
