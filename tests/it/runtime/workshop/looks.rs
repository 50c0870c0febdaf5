//! How executions stand, as the superuser sees it, and what holds for every one of them.

use super::{Workshop, until};
use serde_json::Value;
use shared_db::ids::ExecutionId;
use sqlx::Row;
use std::time::Duration;

/// How an execution stands.
#[derive(Debug)]
pub(in super::super) struct Standing {
    pub(in super::super) state: String,
    pub(in super::super) output: Option<Value>,
    pub(in super::super) reason: Option<String>,
    pub(in super::super) message: Option<String>,
    pub(in super::super) step_key: Option<String>,
    pub(in super::super) attempt: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Event {
    pub(in super::super) kind: String,
    pub(in super::super) step_key: Option<String>,
    pub(in super::super) payload: Value,
}

impl Workshop {
    pub(in super::super) async fn standing(&self, id: ExecutionId) -> Standing {
        let row = sqlx::query(
            "select state::text, output, error_reason, error_message, error_step_key, attempt
             from runtime.agent_executions where org_id = $1 and id = $2",
        )
        .bind(self.org.0)
        .bind(id.0)
        .fetch_one(&self.root)
        .await
        .unwrap();
        Standing {
            state: row.get(0),
            output: row.get(1),
            reason: row.get(2),
            message: row.get(3),
            step_key: row.get(4),
            attempt: row.get(5),
        }
    }

    /// Waits until the execution has ended, and sees that it has ended well-formed.
    pub(in super::super) async fn ended(&self, id: ExecutionId) -> Standing {
        let done = async || {
            matches!(self.standing(id).await.state.as_str(), "succeeded" | "failed" | "cancelled")
        };
        until("the execution to end", Duration::from_secs(30), done).await;
        self.check(id).await;
        self.standing(id).await
    }

    /// Waits until the execution is in `state`.
    pub(in super::super) async fn reaches(&self, id: ExecutionId, state: &str) {
        let there = async || self.standing(id).await.state == state;
        until(state, Duration::from_secs(15), there).await;
    }

    /// Waits until the remote has seen `count` requests to `path`.
    pub(in super::super) async fn seen(&self, path: &str, count: usize) {
        let enough = async || self.remote.requests_to(path).len() >= count;
        until(path, Duration::from_secs(15), enough).await;
    }

    pub(in super::super) async fn events(&self, id: ExecutionId) -> Vec<Event> {
        let rows = sqlx::query(
            "select event_type::text, step_key, payload
             from runtime.execution_events where org_id = $1 and execution_id = $2 order by seq",
        )
        .bind(self.org.0)
        .bind(id.0)
        .fetch_all(&self.root)
        .await
        .unwrap();
        let event = |row: &sqlx::postgres::PgRow| Event {
            kind: row.get(0),
            step_key: row.get(1),
            payload: row.get(2),
        };
        rows.iter().map(event).collect()
    }

    pub(in super::super) async fn kinds(&self, id: ExecutionId) -> Vec<String> {
        self.events(id).await.into_iter().map(|it| it.kind).collect()
    }

    /// One number of the superuser's.
    pub(in super::super) async fn count(&self, sql: &'static str, id: ExecutionId) -> i64 {
        sqlx::query_scalar(sql).bind(id.0).fetch_one(&self.root).await.unwrap()
    }

    /// `(attempt, state, reason)` of each attempt to perform an action.
    pub(in super::super) async fn attempts(
        &self,
        id: ExecutionId,
    ) -> Vec<(i32, String, Option<String>)> {
        sqlx::query_as(
            "select attempt, state::text, error_reason from runtime.action_executions
             where execution_id = $1 order by created_at, attempt",
        )
        .bind(id.0)
        .fetch_all(&self.root)
        .await
        .unwrap()
    }

    /// What holds for every execution at every moment: events without a gap, the last number kept, the final event last and once,
    /// and a place in the queue exactly while it has not ended.
    pub(in super::super) async fn check(&self, id: ExecutionId) {
        let (seqs, last, is_final, queued, open): (Vec<i64>, i64, bool, i64, i64) = sqlx::query_as(
            "select
                array(select seq from runtime.execution_events where execution_id = e.id order by seq),
                last_event_seq,
                state in ('succeeded', 'failed', 'cancelled'),
                (select count(*) from runtime.execution_queue where execution_id = e.id),
                (select count(*) from runtime.execution_steps where execution_id = e.id and finished_at is null)
                    + (select count(*) from runtime.action_executions where execution_id = e.id and finished_at is null)
             from runtime.agent_executions e where id = $1",
        )
        .bind(id.0)
        .fetch_one(&self.root)
        .await
        .unwrap();
        assert_eq!(seqs, (1..=last).collect::<Vec<_>>(), "events of {id}");
        let kinds = self.kinds(id).await;
        let finals = ["execution_succeeded", "execution_failed", "execution_cancelled"];
        let ends: Vec<_> =
            (0..kinds.len()).filter(|it| finals.contains(&kinds[*it].as_str())).collect();
        let expected = if is_final { vec![kinds.len() - 1] } else { vec![] };
        assert_eq!(ends, expected, "{kinds:?}");
        assert_eq!(queued, i64::from(!is_final), "a place in the queue");
        assert!(!is_final || open == 0, "{open} steps or actions are left open");
    }
}
