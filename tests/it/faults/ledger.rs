//! The reckoning after a fault test: what the tables say, and what the remote says, who knows nothing of the tables.

use chrono::{DateTime, TimeDelta, Utc};
use freehold_tests::remote::Remote;
use shared_db::clock::Clock;
use sqlx::PgPool;
use std::{collections::BTreeMap, time::Instant};

/// By how much the remote's clock may seem to be ahead of the database's. They are the same clock, read at different moments.
const SLACK: TimeDelta = TimeDelta::milliseconds(5);

/// The two clocks, read together.
pub(super) struct Clocks {
    monotonic: Instant,
    wall: DateTime<Utc>,
}

impl Clocks {
    pub(super) fn read() -> Self {
        Self { monotonic: Instant::now(), wall: Clock::System.now() }
    }

    fn wall(&self, at: Instant) -> DateTime<Utc> {
        self.wall + TimeDelta::from_std(at - self.monotonic).unwrap()
    }
}

#[derive(sqlx::FromRow)]
struct Execution {
    id: uuid::Uuid,
    state: String,
    last_event_seq: i64,
    seqs: Vec<i64>,
    kinds: Vec<String>,
    queued: i64,
    open: i64,
}

#[derive(sqlx::FromRow)]
struct Step {
    id: uuid::Uuid,
    state: String,
    attempt: i32,
    finished_at: Option<DateTime<Utc>>,
    successes: i64,
}

/// Every execution has ended once, as succeeded, with its events gapless and the final one last, and nothing left over.
pub(super) async fn executions_are_whole(root: &PgPool, expected: usize) {
    let executions: Vec<Execution> = sqlx::query_as(
        "select id, state::text, last_event_seq,
            array(select seq from runtime.execution_events where execution_id = e.id order by seq) as seqs,
            array(select event_type::text from runtime.execution_events where execution_id = e.id order by seq) as kinds,
            (select count(*) from runtime.execution_queue where execution_id = e.id) as queued,
            (select count(*) from runtime.execution_steps where execution_id = e.id and finished_at is null)
                + (select count(*) from runtime.action_executions where execution_id = e.id and finished_at is null) as open
         from runtime.agent_executions e",
    )
    .fetch_all(root)
    .await
    .unwrap();
    assert_eq!(executions.len(), expected);
    for it in executions {
        let told = format!("{}: {:?}", it.id, it.kinds);
        assert_eq!(it.state, "succeeded", "{told}");
        assert_eq!(it.seqs, (1..=it.last_event_seq).collect::<Vec<_>>(), "{told}");
        let finals = it.kinds.iter().filter(|kind| {
            matches!(
                kind.as_str(),
                "execution_succeeded" | "execution_failed" | "execution_cancelled"
            )
        });
        assert_eq!(finals.count(), 1, "{told}");
        assert_eq!(it.kinds.last().map(String::as_str), Some("execution_succeeded"), "{told}");
        assert_eq!((it.queued, it.open), (0, 0), "{told}");
    }
}

/// The remote never saw the key of a step after that step had finished, and saw each at least once, and no oftener than it was attempted.
pub(super) async fn no_finished_step_was_repeated(
    root: &PgPool,
    remote: &Remote,
    clocks: &Clocks,
    expected: usize,
) {
    let steps: Vec<Step> = sqlx::query_as(
        "select id, state::text, attempt, finished_at,
            (select count(*) from runtime.execution_events ev
             where ev.execution_id = s.execution_id and ev.step_key = s.step_key and ev.event_type = 'step_succeeded') as successes
         from runtime.execution_steps s",
    )
    .fetch_all(root)
    .await
    .unwrap();
    assert_eq!(steps.len(), expected);
    let mut seen: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
    for request in remote.requests() {
        let key = request.idempotency_key().expect("every call is idempotent").to_owned();
        seen.entry(key).or_default().push(clocks.wall(request.at));
    }
    for step in steps {
        assert_eq!((step.state.as_str(), step.successes), ("succeeded", 1), "step {}", step.id);
        let calls = seen.remove(&step.id.to_string()).unwrap_or_default();
        let finished = step.finished_at.expect("it has succeeded");
        assert!(!calls.is_empty(), "step {} was never called", step.id);
        assert!(calls.len() <= usize::try_from(step.attempt).unwrap(), "step {}", step.id);
        for call in &calls {
            assert!(
                *call <= finished + SLACK,
                "step {} was called {} after it had finished",
                step.id,
                *call - finished
            );
        }
    }
    assert!(seen.is_empty(), "calls for no step: {seen:?}");
}
