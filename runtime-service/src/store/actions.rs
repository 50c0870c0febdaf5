//! Attempts to perform core actions, with what was sent and what came back; and the actions themselves, which web writes.

use super::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::{
    enums::{ActionKind, SideEffect, StepState},
    error::Result,
    ids::{ActionExecutionId, CoreActionId, Etag, OrganizationId, StepId},
};
use sqlx::PgConnection;

/// An action as its owner wrote it.
#[derive(Clone, Debug)]
pub struct CoreAction {
    pub id: CoreActionId,
    pub version: i32,
    pub kind: ActionKind,
    pub config: Value,
    pub input_schema: Option<Value>,
    pub output_schema: Option<Value>,
    pub side_effect: SideEffect,
    pub retry: Option<Value>,
    pub disabled: bool,
    pub etag: Etag,
}

pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: CoreActionId,
) -> Result<Option<CoreAction>> {
    Ok(sqlx::query_as!(
        CoreAction,
        "select id, version, kind, config, input_schema, output_schema, side_effect, retry, disabled, etag
         from web.core_actions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?)
}

#[derive(Clone, Debug)]
pub struct NewActionExecution {
    pub id: ActionExecutionId,
    pub core_action_id: CoreActionId,
    pub core_action_version: i32,
    /// Empty when the action is not sent one.
    pub idempotency_key: String,
    pub request: Option<Value>,
}

/// How an attempt went.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Replaces what was noted before the call, when the call knows better.
    pub request: Option<Value>,
    pub response: Option<Value>,
    pub http_status: Option<i32>,
}

pub async fn begin(
    conn: &mut PgConnection,
    lease: &Lease,
    step: StepId,
    attempt: i32,
    new: &NewActionExecution,
) -> WriteResult {
    let row = fenced!(
        "insert into runtime.action_executions
            (org_id, id, execution_id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request)
        select org_id, $4, execution_id, $5, $6, $7, $8, 'running', $9, $10
        from lease
        returning id",
        lease,
        new.id.0,
        step.0,
        new.core_action_id.0,
        new.core_action_version,
        attempt,
        new.idempotency_key,
        new.request,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Closes an attempt; `error` is its reason and message when it failed.
pub async fn finish(
    conn: &mut PgConnection,
    lease: &Lease,
    id: ActionExecutionId,
    evidence: &Evidence,
    error: Option<(&str, &str)>,
) -> WriteResult {
    let state = if error.is_some() { StepState::Failed } else { StepState::Succeeded };
    let row = fenced!(
        "update runtime.action_executions as a
        set state = $5,
            request = coalesce($6, a.request),
            response = $7,
            http_status = $8,
            error_reason = $9,
            error_message = $10,
            finished_at = clock_timestamp(),
            duration_ms = greatest(0, extract(epoch from clock_timestamp() - a.started_at) * 1000)::bigint
        from lease
        where a.org_id = lease.org_id and a.execution_id = lease.execution_id and a.id = $4 and a.state = 'running'
        returning a.id",
        lease,
        id.0,
        state as StepState,
        evidence.request,
        evidence.response,
        evidence.http_status,
        error.map(|it| it.0),
        error.map(|it| it.1),
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Closes what an execution has left open, because the worker that did it is gone or the execution ends. There may be nothing.
pub async fn close_open(
    conn: &mut PgConnection,
    lease: &Lease,
    state: StepState,
    reason: &str,
    message: &str,
) -> WriteResult<u64> {
    let done = fenced!(
        "update runtime.action_executions as a
        set state = $4,
            error_reason = $5,
            error_message = $6,
            finished_at = clock_timestamp(),
            duration_ms = greatest(0, extract(epoch from clock_timestamp() - a.started_at) * 1000)::bigint
        from lease
        where a.org_id = lease.org_id and a.execution_id = lease.execution_id and a.state = 'running'",
        lease,
        state as StepState,
        reason,
        message,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
