//! What people decide about steps whose outcome is unknown. All of it under the lock of the queue row.

use crate::store::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::{
    enums::{StepDecision, StepState},
    error::Result,
    ids::{ExecutionId, OrganizationId, UserId},
};
use sqlx::PgConnection;

/// A step as who decides about it finds it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub state: StepState,
    pub attempt: i32,
    /// It waits for a decision.
    pub undecided: bool,
    /// What was decided last.
    pub decision: Option<StepDecision>,
    /// Its output is the one that was asked about.
    pub same_output: bool,
    /// The attempt that was asked about is one that somebody had repeated.
    pub repeated: bool,
}

/// How a step stands, whether `output` is its output, and whether somebody had `attempt` repeated.
pub async fn find(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
    key: &str,
    output: &Value,
    attempt: i32,
) -> Result<Option<Standing>> {
    Ok(sqlx::query_as!(
        Standing,
        r#"select
            state,
            attempt,
            coalesce(state = 'waiting' and error_reason = 'STEP_OUTCOME_UNKNOWN', false) as "undecided!",
            decision,
            coalesce(output = $4, false) as "same_output!",
            exists (
                select from runtime.execution_events
                where org_id = $1 and execution_id = $2 and step_key = $3 and event_type = 'step_decided'
                  and payload @> jsonb_build_object('decision', 'repeat', 'attempt', $5::integer)
            ) as "repeated!"
         from runtime.execution_steps
         where org_id = $1 and execution_id = $2 and step_key = $3"#,
        org.0,
        execution.0,
        key,
        output,
        attempt,
    )
    .fetch_optional(conn)
    .await?)
}

/// Writes a decision down, and with it how the step stands from now on.
pub async fn decide(
    conn: &mut PgConnection,
    lease: &Lease,
    key: &str,
    decision: StepDecision,
    output: Option<&Value>,
    by: Option<UserId>,
) -> WriteResult {
    let state = match decision {
        StepDecision::Succeeded => StepState::Succeeded,
        StepDecision::Failed => StepState::Failed,
        StepDecision::Repeat => StepState::Waiting,
    };
    let row = fenced!(
        "update runtime.execution_steps as s
        set state = $5,
            output = $6,
            error_reason = case when $5 = 'failed'::runtime.step_state then s.error_reason end,
            error_message = case when $5 = 'failed'::runtime.step_state then s.error_message end,
            finished_at = case when $5 <> 'waiting'::runtime.step_state then clock_timestamp() end,
            decision = $7,
            decided_by = $8
        from lease
        where s.org_id = lease.org_id and s.execution_id = lease.execution_id and s.step_key = $4
          and s.state = 'waiting' and s.error_reason = 'STEP_OUTCOME_UNKNOWN'
        returning s.id",
        lease,
        key,
        state as StepState,
        output,
        decision as StepDecision,
        by.map(|it| it.0),
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}
