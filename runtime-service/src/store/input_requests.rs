//! Questions to people. A machine: open, then answered, expired or cancelled; each is answered once.

use super::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::{
    enums::{InputRequestState, MemberRole},
    error::{Error, Result},
    ids::{ExecutionId, InputRequestId, OrganizationId, UserId},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// Bytes of an answer as JSON.
pub const RESPONSE_BYTES_MAX: usize = 256 << 10;

#[derive(Clone, Debug)]
pub struct NewInputRequest<'a> {
    pub id: InputRequestId,
    pub step_key: &'a str,
    pub request_type: &'a str,
    pub prompt: &'a str,
    pub schema: Option<&'a Value>,
    pub least_role: MemberRole,
    /// If there are any, only these may answer.
    pub user_ids: &'a [Uuid],
    /// Taken as the answer when nobody has answered in time.
    pub default_response: Option<&'a Value>,
}

/// A question as who decides about it sees it.
#[derive(Clone, Debug)]
pub struct InputRequest {
    pub execution_id: ExecutionId,
    pub schema: Option<Value>,
    pub least_role: MemberRole,
    pub user_ids: Vec<Uuid>,
    pub default_response: Option<Value>,
    pub state: InputRequestState,
    pub response: Option<Value>,
}

/// Puts a question, which is open for as long as its step may wait.
pub async fn open(
    conn: &mut PgConnection,
    lease: &Lease,
    new: &NewInputRequest<'_>,
) -> WriteResult {
    let row = fenced!(
        "insert into runtime.input_requests
            (org_id, id, execution_id, step_key, request_type, prompt, schema, least_role, user_ids, default_response, expires_at)
        select lease.org_id, $5, lease.execution_id, $4, $6, $7, $8, $9, $10, $11, s.wait_until
        from lease
        join runtime.execution_steps as s
            on s.org_id = lease.org_id and s.execution_id = lease.execution_id and s.step_key = $4
        returning id",
        lease,
        new.step_key,
        new.id.0,
        new.request_type,
        new.prompt,
        new.schema,
        new.least_role as MemberRole,
        new.user_ids,
        new.default_response,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// A question of the organization.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: InputRequestId,
) -> Result<InputRequest> {
    sqlx::query_as!(
        InputRequest,
        "select execution_id, schema, least_role, user_ids, default_response, state, response
         from runtime.input_requests
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("input_request", id))
}

/// The question that a step has put.
pub async fn of_step(
    conn: &mut PgConnection,
    lease: &Lease,
    step_key: &str,
) -> Result<Option<InputRequest>> {
    Ok(sqlx::query_as!(
        InputRequest,
        "select execution_id, schema, least_role, user_ids, default_response, state, response
         from runtime.input_requests
         where org_id = $1 and execution_id = $2 and step_key = $3",
        lease.org.0,
        lease.execution.0,
        step_key,
    )
    .fetch_optional(conn)
    .await?)
}

/// Answers a question that is open and whose time has not passed. False when there is none.
pub async fn answer(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: InputRequestId,
    response: &Value,
    user: Option<UserId>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update runtime.input_requests
         set state = 'answered', response = $3, responded_by = $4, responded_at = clock_timestamp()
         where org_id = $1 and id = $2 and state = 'open' and (expires_at is null or clock_timestamp() < expires_at)",
        org.0,
        id.0,
        response,
        user.map(|it| it.0),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether the same user has given this answer before.
pub async fn is_answered_so(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: InputRequestId,
    response: &Value,
    user: Option<UserId>,
) -> Result<bool> {
    let row = sqlx::query!(
        r#"select (state = 'answered' and response = $3 and responded_by is not distinct from $4) as "same!"
         from runtime.input_requests
         where org_id = $1 and id = $2"#,
        org.0,
        id.0,
        response,
        user.map(|it| it.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some_and(|it| it.same))
}

/// Closes the question of a step that nobody has answered in time.
pub async fn expire(conn: &mut PgConnection, lease: &Lease, step_key: &str) -> WriteResult {
    let row = fenced!(
        "update runtime.input_requests as r
        set state = 'expired'
        from lease
        where r.org_id = lease.org_id and r.execution_id = lease.execution_id and r.step_key = $4 and r.state = 'open'
        returning r.id",
        lease,
        step_key,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Closes the questions of an execution that ends.
pub async fn cancel_open(conn: &mut PgConnection, lease: &Lease) -> WriteResult<u64> {
    let done = fenced!(
        "update runtime.input_requests as r
        set state = 'cancelled'
        from lease
        where r.org_id = lease.org_id and r.execution_id = lease.execution_id and r.state = 'open'",
        lease,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
