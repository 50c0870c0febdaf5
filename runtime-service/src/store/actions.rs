//! Attempts to perform core actions, with what was sent and what came back; and the actions themselves, which web writes.

use super::lease::{Lease, WriteResult};
use serde_json::Value;
use shared_db::{
    enums::{ActionKind, SideEffect, StepState},
    error::Result,
    ids::{CoreActionId, Etag, OrganizationId},
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

/// How an attempt went.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Replaces what was noted before the call, when the call knows better.
    pub request: Option<Value>,
    pub response: Option<Value>,
    pub http_status: Option<i32>,
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
        where a.org_id = lease.org_id and a.execution_id = $2 and a.state = 'running'",
        lease,
        state as StepState,
        reason,
        message,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
