//! Steps of executions: checkpoints, written by whoever holds the lease.

use super::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::{
    enums::{SideEffect, StepState, StepType},
    error::Result,
    ids::{ExecutionId, OrganizationId, StepId},
};
use sqlx::PgConnection;

/// A step as a worker finds it.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: StepId,
    pub step_key: String,
    pub sequence: i32,
    pub state: StepState,
    pub side_effect: SideEffect,
    pub input_hash: Vec<u8>,
    pub output: Option<Value>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
    pub attempt: i32,
    pub failures: i32,
}

#[derive(Clone, Debug)]
pub struct NewStep {
    pub id: StepId,
    pub step_key: String,
    pub sequence: i32,
    pub step_type: StepType,
    pub side_effect: SideEffect,
    pub input_hash: [u8; 32],
    pub input: Value,
}

/// All steps of an execution, in the order in which they began.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
) -> Result<Vec<Step>> {
    Ok(sqlx::query_as!(
        Step,
        "select id, step_key, sequence, state, side_effect, input_hash, output, error_reason, error_message, attempt, failures
         from runtime.execution_steps
         where org_id = $1 and execution_id = $2
         order by sequence",
        org.0,
        execution.0,
    )
    .fetch_all(conn)
    .await?)
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

/// Begins a step for the first time.
pub async fn begin(conn: &mut PgConnection, lease: &Lease, new: &NewStep) -> WriteResult {
    let row = fenced!(
        "insert into runtime.execution_steps
            (org_id, id, execution_id, step_key, sequence, step_type, state, side_effect, input_hash, input)
        select org_id, $4, execution_id, $5, $6, $7, 'running', $8, $9, $10
        from lease
        returning id",
        lease,
        new.id.0,
        new.step_key,
        new.sequence,
        new.step_type as StepType,
        new.side_effect as SideEffect,
        new.input_hash.as_slice(),
        new.input,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Begins another attempt of a step that was interrupted, or that waited for it.
pub async fn again(
    conn: &mut PgConnection,
    lease: &Lease,
    id: StepId,
    attempt: i32,
) -> WriteResult {
    let row = fenced!(
        "update runtime.execution_steps as s
        set state = 'running', attempt = $5, error_reason = null, error_message = null
        from lease
        where s.org_id = lease.org_id and s.execution_id = lease.execution_id and s.id = $4
          and s.state in ('running', 'waiting') and s.attempt = $5 - 1
        returning s.id",
        lease,
        id.0,
        attempt,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Keeps the output of a step, for good, and returns it as it is stored.
pub async fn succeed(
    conn: &mut PgConnection,
    lease: &Lease,
    id: StepId,
    output: &Value,
) -> WriteResult<Value> {
    let row = fenced!(
        "update runtime.execution_steps as s
        set state = 'succeeded', output = $5, finished_at = clock_timestamp()
        from lease
        where s.org_id = lease.org_id and s.execution_id = lease.execution_id and s.id = $4 and s.state = 'running'
        returning s.output as \"output!\"",
        lease,
        id.0,
        output,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held(row)?.output)
}

/// Notes a failed try: the step waits for the next one, or (`retry` false) has failed for good.
pub async fn fail(
    conn: &mut PgConnection,
    lease: &Lease,
    id: StepId,
    retry: bool,
    reason: &str,
    message: &str,
) -> WriteResult {
    let state = if retry { StepState::Waiting } else { StepState::Failed };
    let row = fenced!(
        "update runtime.execution_steps as s
        set state = $5,
            failures = s.failures + 1,
            error_reason = $6,
            error_message = $7,
            finished_at = case when $8 then null else clock_timestamp() end
        from lease
        where s.org_id = lease.org_id and s.execution_id = lease.execution_id and s.id = $4 and s.state = 'running'
        returning s.id",
        lease,
        id.0,
        state as StepState,
        reason,
        message,
        retry,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
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
                when s.state = 'running' and s.side_effect = 'at_most_once' then 'STEP_OUTCOME_UNKNOWN'
                else $5
            end,
            error_message = $6,
            finished_at = clock_timestamp()
        from lease
        where s.org_id = lease.org_id and s.execution_id = lease.execution_id
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
