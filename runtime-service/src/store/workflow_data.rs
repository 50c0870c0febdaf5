//! What the executions of one tree share: a key is written once. And who waits for a key.

use super::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::{
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId},
};
use sqlx::PgConnection;

/// Bytes of a value, as PostgreSQL writes it.
const VALUE_BYTES_MAX: i32 = 1 << 20;

#[derive(Clone, Debug)]
pub struct NewData<'a> {
    pub root: ExecutionId,
    pub key: &'a str,
    pub value: &'a Value,
    pub data_type: &'a str,
    pub tags: &'a [String],
    pub step_key: &'a str,
    pub agent: AgentId,
}

/// Keeps a value, unless its key is there or it is too large.
pub async fn put(conn: &mut PgConnection, lease: &Lease, new: &NewData<'_>) -> WriteResult {
    fenced!(
        "insert into runtime.workflow_data
            (org_id, root_execution_id, key, value, data_type, tags, execution_id, step_key, created_by_agent)
        select org_id, $4, $5, $6, $7, $8, execution_id, $9, $10
        from lease
        where octet_length($6::jsonb::text) <= $11
        on conflict (org_id, root_execution_id, key) do nothing",
        lease,
        new.root.0,
        new.key,
        new.value,
        new.data_type,
        new.tags,
        new.step_key,
        new.agent.0,
        VALUE_BYTES_MAX,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a tree keeps under a key.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    root: ExecutionId,
    key: &str,
) -> Result<Option<Value>> {
    let row = sqlx::query!(
        "select value
         from runtime.workflow_data
         where org_id = $1 and root_execution_id = $2 and key = $3",
        org.0,
        root.0,
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.value))
}

/// Whether what a tree keeps under a key is this value; `None` when it keeps nothing.
pub async fn is_value(
    conn: &mut PgConnection,
    org: OrganizationId,
    root: ExecutionId,
    key: &str,
    value: &Value,
) -> Result<Option<bool>> {
    let row = sqlx::query!(
        r#"select (value = $4) as "same!"
         from runtime.workflow_data
         where org_id = $1 and root_execution_id = $2 and key = $3"#,
        org.0,
        root.0,
        key,
        value,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.same))
}

/// Notes that a step waits for a key.
pub async fn await_key(
    conn: &mut PgConnection,
    lease: &Lease,
    root: ExecutionId,
    key: &str,
    step_key: &str,
) -> WriteResult {
    let row = fenced!(
        "insert into runtime.data_waits (org_id, execution_id, root_execution_id, key, step_key)
        select org_id, execution_id, $4, $5, $6
        from lease
        returning key",
        lease,
        root.0,
        key,
        step_key,
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// The executions that wait for a key.
pub async fn waiting(
    conn: &mut PgConnection,
    org: OrganizationId,
    root: ExecutionId,
    key: &str,
) -> Result<Vec<ExecutionId>> {
    let rows = sqlx::query!(
        "select distinct execution_id
         from runtime.data_waits
         where org_id = $1 and root_execution_id = $2 and key = $3",
        org.0,
        root.0,
        key,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.execution_id).collect())
}

/// Forgets what an execution waited for.
pub async fn wait_no_more(conn: &mut PgConnection, lease: &Lease) -> WriteResult {
    fenced!(
        "delete from runtime.data_waits as w
        using lease
        where w.org_id = lease.org_id and w.execution_id = lease.execution_id",
        lease,
    )
    .execute(conn)
    .await?;
    Ok(())
}
