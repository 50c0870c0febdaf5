//! Steps of executions: checkpoints, written by whoever holds the lease.

pub mod decisions;

use super::{
    lease::{Lease, WriteResult, held},
    turns::StepRow,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use shared_db::{
    enums::{SideEffect, StepDecision, StepState, StepType},
    error::{Reason, Result, reason_name},
    ids::{ExecutionId, OrganizationId, StepId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// A step as a worker finds it.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: StepId,
    pub step_key: String,
    pub sequence: i32,
    pub step_type: StepType,
    pub state: StepState,
    pub side_effect: SideEffect,
    pub input_hash: Vec<u8>,
    pub input: Option<Value>,
    pub output: Option<Value>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
    pub attempt: i32,
    pub failures: i32,
    pub decision: Option<StepDecision>,
    pub wait_until: Option<DateTime<Utc>>,
}

/// Runs a statement that ends in the columns of a step.
macro_rules! step {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Step,
            $head + " id, step_key, sequence, step_type, state, side_effect, input_hash, input, output, error_reason, error_message,
                attempt, failures, decision, wait_until " + $tail
            $(, $arg)*
        )
    };
}

/// All steps of an execution, in the order in which they began.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
) -> Result<Vec<Step>> {
    let rows = step!(
        "select",
        "from runtime.execution_steps where org_id = $1 and execution_id = $2 order by sequence",
        org.0,
        execution.0,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// A step of the execution that is held, if it has begun.
pub async fn find(conn: &mut PgConnection, lease: &Lease, key: &str) -> Result<Option<Step>> {
    let row = step!(
        "select",
        "from runtime.execution_steps where org_id = $1 and execution_id = $2 and step_key = $3",
        lease.org.0,
        lease.execution.0,
        key,
    );
    Ok(row.fetch_optional(conn).await?)
}

/// When a step has waited long enough, by the database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So long after it began.
    After(Duration),
    At(DateTime<Utc>),
}

/// Begins a step that waits, up to `limit` at the longest.
pub async fn open(
    conn: &mut PgConnection,
    lease: &Lease,
    row: &StepRow,
    limit: Option<Limit>,
) -> WriteResult<Step> {
    let (after, at) = match limit {
        None => (None, None),
        Some(Limit::After(duration)) => (Some(super::queue::millis(duration)), None),
        Some(Limit::At(time)) => (None, Some(time)),
    };
    let opened = fenced!(
        "insert into runtime.execution_steps
            (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, wait_until)
        select org_id, execution_id, $4, $5, $6, $7, 'waiting', $8, $9, $10,
            coalesce($12::timestamptz, now() + $11::bigint * interval '1 millisecond')
        from lease
        returning id",
        lease,
        row.step_key,
        row.id.0,
        row.sequence,
        row.step_type as StepType,
        row.side_effect as SideEffect,
        row.input_hash,
        row.input,
        after,
        at,
    )
    .fetch_optional(&mut *conn)
    .await?;
    held(opened)?;
    held(find(conn, lease, &row.step_key).await?)
}

/// How long a step that waits may go on waiting, by the database's clock; zero when that is over, `None` where nothing bounds it.
pub async fn wait_left(
    conn: &mut PgConnection,
    lease: &Lease,
    key: &str,
) -> Result<Option<Duration>> {
    let row = sqlx::query!(
        r#"select case
            when wait_until is not null then greatest(0, ceil(extract(epoch from wait_until - clock_timestamp()) * 1000))
         end::bigint as millis
         from runtime.execution_steps
         where org_id = $1 and execution_id = $2 and step_key = $3"#,
        lease.org.0,
        lease.execution.0,
        key,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.millis.map(|it| Duration::from_millis(it.unsigned_abs())))
}

/// Ends a step that waited: with its output, or with reason and message.
pub async fn close(
    conn: &mut PgConnection,
    lease: &Lease,
    key: &str,
    outcome: Result<&Value, (&str, &str)>,
) -> WriteResult {
    let state = if outcome.is_ok() { StepState::Succeeded } else { StepState::Failed };
    let error = outcome.err();
    let row = fenced!(
        "update runtime.execution_steps as s
        set state = $5,
            output = $6,
            error_reason = $7,
            error_message = $8,
            finished_at = clock_timestamp()
        from lease
        where s.org_id = lease.org_id and s.execution_id = $2 and s.step_key = $4 and s.state = 'waiting'
        returning s.id",
        lease,
        key,
        state as StepState,
        outcome.ok(),
        error.map(|it| it.0),
        error.map(|it| it.1),
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Where a step stands: its attempt and state.
pub async fn standing(
    conn: &mut PgConnection,
    lease: &Lease,
    id: StepId,
) -> Result<Option<(i32, StepState)>> {
    let row = sqlx::query!(
        "select attempt, state
         from runtime.execution_steps
         where org_id = $1 and execution_id = $2 and id = $3",
        lease.org.0,
        lease.execution.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| (it.attempt, it.state)))
}

impl Step {
    /// It must not be repeated, and nobody knows whether it took effect.
    pub fn is_unknown(&self) -> bool {
        self.error_reason.as_deref() == Some(reason_name(Reason::StepOutcomeUnknown))
    }

    /// The same, and a person is to say.
    pub fn is_undecided(&self) -> bool {
        self.state == StepState::Waiting && self.is_unknown()
    }
}

/// Closes the steps that an ending execution leaves open. One that must not be repeated and was under way may have taken effect, and says so.
pub async fn close_open(
    conn: &mut PgConnection,
    lease: &Lease,
    state: StepState,
    reason: &str,
    message: &str,
) -> WriteResult<u64> {
    let done = fenced!(
        "update runtime.execution_steps as s
        set state = $4,
            error_reason = case
                when s.error_reason = 'STEP_OUTCOME_UNKNOWN' or (s.state = 'running' and s.side_effect = 'at_most_once')
                    then 'STEP_OUTCOME_UNKNOWN'
                else $5
            end,
            error_message = $6,
            finished_at = clock_timestamp()
        from lease
        where s.org_id = lease.org_id and s.execution_id = $2
          and s.state in ('pending', 'running', 'waiting')",
        lease,
        state as StepState,
        reason,
        message,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The id of a step of the execution that is held, and what it has noted for itself.
pub async fn noted(
    conn: &mut PgConnection,
    lease: &Lease,
    key: &str,
) -> WriteResult<(StepId, Value)> {
    let row = sqlx::query!(
        "select id, metadata
         from runtime.execution_steps
         where org_id = $1 and execution_id = $2 and step_key = $3",
        lease.org.0,
        lease.execution.0,
        key,
    )
    .fetch_optional(conn)
    .await?;
    let row = held(row)?;
    Ok((row.id, row.metadata))
}

/// Notes something for when the step is looked at again: an object of at most 64 KiB.
pub async fn note(
    conn: &mut PgConnection,
    lease: &Lease,
    key: &str,
    metadata: Value,
) -> WriteResult {
    let row = fenced!(
        "update runtime.execution_steps as s
        set metadata = s.metadata || $5
        from lease
        where s.org_id = lease.org_id and s.execution_id = lease.execution_id and s.step_key = $4
        returning s.id",
        lease,
        key,
        metadata,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}
