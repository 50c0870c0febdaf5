//! What executions leave behind: their steps, and each attempt to perform an action.

use super::{executions::error, object};
use crate::{
    enums::{SideEffect, StepDecision, StepState, StepType},
    error::{Error, Result},
    ids::{ActionExecutionId, CoreActionId, ExecutionId, OrganizationId, StepId, UserId},
    json,
    page::{Cursor, Page, PageRequest, Paged},
    wire::{duration, timestamp},
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use serde_json::Value;
use sqlx::PgConnection;

/// The steps of an execution in the order in which they began.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
    page: &PageRequest,
) -> Result<Page<pb::ExecutionStep>> {
    // The place of a step in this list is its sequence, which the statement finds by the id in the cursor.
    let rows = sqlx::query_as!(
        Step,
        "select id, execution_id, step_key as key, sequence, step_type as kind, state, side_effect, input, output, error_reason,
                error_message, attempt, metadata, decision, decided_by, wait_until, started_at, finished_at, created_at
         from runtime.execution_steps
         where org_id = $1
           and execution_id = $2
           and sequence > coalesce(
               (select it.sequence from runtime.execution_steps it where it.org_id = $1 and it.execution_id = $2 and it.id = $3),
               0
           )
         order by sequence
         limit $4",
        org.0,
        execution.0,
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

/// A step of an execution by its key.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
    key: &str,
) -> Result<pb::ExecutionStep> {
    let row = sqlx::query_as!(
        Step,
        "select id, execution_id, step_key as key, sequence, step_type as kind, state, side_effect, input, output, error_reason,
                error_message, attempt, metadata, decision, decided_by, wait_until, started_at, finished_at, created_at
         from runtime.execution_steps
         where org_id = $1 and execution_id = $2 and step_key = $3",
        org.0,
        execution.0,
        key,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Into::into).ok_or_else(|| Error::not_found("step", key))
}

/// The attempts to perform actions that an execution made, oldest first.
pub async fn action_executions(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
    page: &PageRequest,
) -> Result<Page<pb::ActionExecution>> {
    let rows = sqlx::query_as!(
        ActionExecution,
        "select id, execution_id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request,
                response, http_status, error_reason, error_message, started_at, duration_ms, created_at
         from runtime.action_executions
         where org_id = $1
           and execution_id = $2
           and ($3::timestamptz is null or ($3, $4) < (created_at, id))
         order by created_at, id
         limit $5",
        org.0,
        execution.0,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

/// A row of `runtime.execution_steps`.
struct Step {
    id: StepId,
    execution_id: ExecutionId,
    key: String,
    sequence: i32,
    kind: StepType,
    state: StepState,
    side_effect: SideEffect,
    input: Option<Value>,
    output: Option<Value>,
    error_reason: Option<String>,
    error_message: Option<String>,
    attempt: i32,
    metadata: Value,
    decision: Option<StepDecision>,
    decided_by: Option<UserId>,
    wait_until: Option<DateTime<Utc>>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// A row of `runtime.action_executions`.
struct ActionExecution {
    id: ActionExecutionId,
    execution_id: ExecutionId,
    step_id: StepId,
    core_action_id: CoreActionId,
    core_action_version: i32,
    attempt: i32,
    state: StepState,
    idempotency_key: String,
    request: Option<Value>,
    response: Option<Value>,
    http_status: Option<i32>,
    error_reason: Option<String>,
    error_message: Option<String>,
    started_at: DateTime<Utc>,
    duration_ms: Option<i64>,
    created_at: DateTime<Utc>,
}

impl Paged for Step {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}

impl Paged for ActionExecution {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}

impl From<Step> for pb::ExecutionStep {
    fn from(it: Step) -> Self {
        Self {
            id: it.id.to_string(),
            execution_id: it.execution_id.to_string(),
            error: error(it.error_reason, it.error_message, Some(it.key.clone())),
            step_key: it.key,
            sequence: it.sequence,
            r#type: pb::StepType::from(it.kind).into(),
            state: pb::StepState::from(it.state).into(),
            side_effect: pb::SideEffect::from(it.side_effect).into(),
            input: it.input.map(json::to_value),
            output: it.output.map(json::to_value),
            attempt: it.attempt,
            start_time: Some(timestamp(it.started_at)),
            end_time: it.finished_at.map(timestamp),
            metadata: object(it.metadata),
            decision: it.decision.map_or(0, |it| pb::StepDecision::from(it).into()),
            decided_by: it.decided_by.map(|it| it.to_string()).unwrap_or_default(),
            wait_until: it.wait_until.map(timestamp),
        }
    }
}

impl From<ActionExecution> for pb::ActionExecution {
    fn from(it: ActionExecution) -> Self {
        Self {
            id: it.id.to_string(),
            execution_id: it.execution_id.to_string(),
            step_id: it.step_id.to_string(),
            core_action_id: it.core_action_id.to_string(),
            core_action_version: it.core_action_version,
            attempt: it.attempt,
            state: pb::StepState::from(it.state).into(),
            idempotency_key: it.idempotency_key,
            request: it.request.map(json::to_value),
            response: it.response.map(json::to_value),
            http_status: it.http_status.unwrap_or_default(),
            error: error(it.error_reason, it.error_message, None),
            start_time: Some(timestamp(it.started_at)),
            duration: it.duration_ms.map(duration),
        }
    }
}
