//! The rule by which claims are fair ([`crate::model::fairness`]), held to the statements and the ring of this engine, on PostgreSQL.

mod queue;

use super::workshop::{Workshop, quick, until};
use crate::model::fairness::{
    AGEING_STEP_MS, ORGANIZATIONS_MAX, Waits, misplaced, overtaken, uneven,
};
use chrono::{DateTime, Utc};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{TestCaseResult, TestRunner},
};
use queue::{Claim, Queue, organizations};
use runtime_service::{
    engine::{EngineConfig, backlog::Backlog, claim::ring::Ring},
    store::executions::NewExecution,
};
use serde_json::json;
use shared_db::ids::{AgentId, OrganizationId};
use std::{collections::BTreeSet, time::Duration};

/// Each is a queue of its own, filled and drained by real statements.
const CASES: u32 = 8;
const TENANTS: usize = 12;

/// Whose, how urgent, and since which second.
type Offer = (usize, u8, i64);

fn offers(tenants: usize, count: usize) -> impl Strategy<Value = Vec<Offer>> {
    vec((0..tenants, 1..=5_u8, 0..8 * AGEING_STEP_MS / 1000), 1..count)
}

/// All that is offered is claimed by some workers in turn, `limit` at a time, and each claim is judged.
async fn every_claim_is_fair(mut queue: Queue<'_>, limit: usize, workers: usize) -> TestCaseResult {
    let mut workers: Vec<_> =
        (0..workers).map(|_| (Ring::new(Backlog::default()), Waits::default())).collect();
    // Everybody is looked at twice more, by each worker, before it is known to have nothing.
    let claims_max = queue.items.len() + 3 * workers.len() * TENANTS;
    let count = workers.len();
    for turn in 0..claims_max {
        if queue.ready.is_empty() {
            return Ok(());
        }
        let (ring, waits) = &mut workers[turn % count];
        if ring.is_empty() {
            queue.look(ring).await;
        }
        let known = organizations(&ring.seeks(ORGANIZATIONS_MAX));
        let Claim { visited, picked } = queue.claim(ring, limit).await;
        prop_assert_eq!(visited.len(), known.len().min(limit));
        prop_assert_eq!(misplaced(&queue.ready, &picked), None);
        prop_assert_eq!(uneven(&queue.ready, &picked, &visited, limit), None);
        prop_assert_eq!(waits.note(&known, &visited, limit), None);
        queue.took(&picked);
    }
    Err(TestCaseError::fail(format!("after {claims_max} claims there is more: {:?}", queue.ready)))
}

/// One tenant's work comes as time passes, `pace` seconds at a time, and whoever is claimed overtakes nobody whom ageing protects.
async fn nobody_is_overtaken(
    mut queue: Queue<'_>,
    mut coming: Vec<Offer>,
    limit: usize,
    pace: i64,
) -> TestCaseResult {
    coming.sort_by_key(|it| it.2);
    let mut now = 0;
    while !coming.is_empty() || !queue.ready.is_empty() {
        let later = coming.split_off(coming.partition_point(|it| it.2 <= now));
        queue.offer(&coming).await;
        coming = later;
        // A worker that has claimed before looks from the first rank on again after a quarter of a second, which is none of this time.
        let mut ring = Ring::new(Backlog::default());
        queue.look(&mut ring).await;
        let Claim { picked, .. } = queue.claim(&mut ring, limit).await;
        prop_assert_eq!(misplaced(&queue.ready, &picked), None);
        let had = queue.ready.values().map(BTreeSet::len).sum::<usize>();
        prop_assert_eq!(picked.len(), had.min(limit));
        queue.took(&picked);
        for (_, (.., id)) in picked {
            let left = queue.ready.values().flatten().map(|it| queue.items[&it.2]);
            prop_assert_eq!(overtaken(queue.items[&id], left), None);
        }
        now += pace;
    }
    Ok(())
}

/// Runs cases of a property one after the other, on one database. What fails is printed at its smallest.
fn hold<S: Strategy>(
    strategy: &S,
    case: &impl AsyncFn(&Workshop, AgentId, S::Value) -> TestCaseResult,
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (workshop, agent) = runtime.block_on(async {
        let workshop = Workshop::new().await;
        let agent = workshop.agent(json!([])).await;
        (workshop, agent)
    });
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    let held = TestRunner::new(config)
        .run(strategy, |input| runtime.block_on(case(&workshop, agent, input)));
    let _inside = runtime.enter();
    drop(workshop);
    held.unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[test]
fn every_claim_of_the_engine_is_fair_and_everything_is_claimed_once() {
    let strategy = (offers(TENANTS, 120), 1..40_usize, 1..=3_usize);
    hold(&strategy, &async |workshop, agent, (offers, limit, workers)| {
        let tenants = workshop.neighbours(agent, TENANTS).await;
        let mut queue = Queue::new(workshop, agent, &tenants).await;
        queue.offer(&offers).await;
        every_claim_is_fair(queue, limit, workers).await
    });
}

#[test]
fn nobody_in_the_queue_is_overtaken_by_what_came_later_than_ageing_allows() {
    let strategy = (offers(1, 60), 1..4_usize, 4..30_i64);
    hold(&strategy, &async |workshop, agent, (offers, limit, pace)| {
        let tenants = workshop.neighbours(agent, 1).await;
        let queue = Queue::new(workshop, agent, &tenants).await;
        nobody_is_overtaken(queue, offers, limit, pace).await
    });
}

#[tokio::test]
async fn the_least_urgent_in_the_queue_is_claimed_in_two_minutes_under_an_endless_flood() {
    const EVERY: i64 = 5;
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let tenants = workshop.neighbours(agent, 1).await;
    let mut queue = Queue::new(&workshop, agent, &tenants).await;
    queue.offer(&[(0, 5, 0)]).await;
    let least = *queue.items.keys().next().unwrap();
    let mut claimed = None;
    // One of the most urgent comes and one is claimed, again and again.
    for second in (0..1000).step_by(usize::try_from(EVERY).unwrap()) {
        queue.offer(&[(0, 1, second)]).await;
        let mut ring = Ring::new(Backlog::default());
        queue.look(&mut ring).await;
        let picked = queue.claim(&mut ring, 1).await.picked;
        queue.took(&picked);
        if picked.iter().any(|it| it.1.2 == least) {
            claimed = Some(second);
            break;
        }
    }
    assert_eq!(claimed, Some(4 * AGEING_STEP_MS / 1000));
}

/// Of an execution: the moment in which it was there, and that in which a worker began it, by the database's clock.
async fn began(workshop: &Workshop, org: OrganizationId) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let sql = "select created_at, started_at from runtime.agent_executions where org_id = $1 and started_at is not null";
    sqlx::query_as(sql).bind(org.0).fetch_optional(&workshop.root).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_of_one_tenant_delay_anothers_single_one_by_no_more_than_a_batch() {
    const FLOOD: usize = 10_000;
    const BATCH: u32 = 8;
    let workshop = Workshop::new().await;
    let slow = workshop.simple("pure", "/slow?ms=250").await;
    let flood: Vec<_> = (0..FLOOD)
        .map(|_| NewExecution { priority: 1, ..workshop.new_execution(slow, json!({})) })
        .collect();
    for some in flood.chunks(1000) {
        workshop.start_all(some).await;
    }
    let noop = workshop.agent(json!([])).await;
    let others = workshop.neighbours(noop, 6).await;
    let engine = workshop.engine(EngineConfig { worker_concurrency: BATCH, ..quick() });
    workshop.seen("/slow", usize::try_from(BATCH).unwrap()).await;
    for (org, ms) in others.into_iter().zip([0, 40, 80, 120, 160, 200]) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let single = NewExecution { org, priority: 5, ..workshop.new_execution(noop, json!({})) };
        workshop.start_as(single).await;
        let done = async || began(&workshop, org).await.is_some();
        until("the single one to begin", Duration::from_secs(10), done).await;
        let (there, begun) = began(&workshop, org).await.unwrap();
        let before: i64 = sqlx::query_scalar(
            "select count(*) from runtime.agent_executions where org_id = $1 and $2 < started_at and started_at < $3",
        )
        .bind(workshop.org.0)
        .bind(there)
        .bind(begun)
        .fetch_one(&workshop.root)
        .await
        .unwrap();
        assert!(before <= i64::from(BATCH), "{before} went before it");
    }
    let left: i64 =
        sqlx::query_scalar("select count(*) from runtime.execution_queue where phase = 'ready'")
            .fetch_one(&workshop.root)
            .await
            .unwrap();
    assert!(9_000 < left, "there was no flood any more: {left}");
    engine.stop().await;
}
