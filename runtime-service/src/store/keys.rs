//! Keys of executions: one row a key names who runs, or ran last, under it. Whoever starts under a key locks its row, so that they come one
//! after the other.

use shared_db::{
    enums::ExecutionState,
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;

/// Locks a key until the transaction ends, and says whose it is: `id`'s, if it was nobody's.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrganizationId,
    key: &str,
    id: ExecutionId,
) -> Result<ExecutionId> {
    sqlx::query!(
        "insert into runtime.execution_keys (org_id, execution_key, execution_id)
         values ($1, $2, $3)
         on conflict (org_id, execution_key) do nothing",
        org.0,
        key,
        id.0,
    )
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query!(
        "select execution_id
         from runtime.execution_keys
         where org_id = $1 and execution_key = $2
         for update",
        org.0,
        key,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.execution_id)
}

/// Gives a key that is locked to another execution.
pub async fn give(
    conn: &mut PgConnection,
    org: OrganizationId,
    key: &str,
    id: ExecutionId,
) -> Result<()> {
    sqlx::query!(
        "update runtime.execution_keys
         set execution_id = $3
         where org_id = $1 and execution_key = $2",
        org.0,
        key,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Executions that have a key or wait for it, in the order in which it is passed on; at most `limit`.
pub async fn live(
    conn: &mut PgConnection,
    org: OrganizationId,
    key: &str,
    limit: i64,
) -> Result<Vec<ExecutionId>> {
    let rows = sqlx::query!(
        r#"select execution_id as "id: ExecutionId"
         from runtime.execution_queue
         where org_id = $1 and execution_key = $2
         order by created_at, execution_id
         limit $3"#,
        org.0,
        key,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.id).collect())
}

/// How an execution stands, if it is there.
pub async fn state(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Option<ExecutionState>> {
    let row = sqlx::query!(
        "select state
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.state))
}

/// Lets an execution that was just made wait until its key is passed on to it.
pub async fn park(conn: &mut PgConnection, org: OrganizationId, id: ExecutionId) -> Result<()> {
    sqlx::query!(
        "update runtime.execution_queue
         set phase = 'delayed', available_at = 'infinity'
         where org_id = $1 and execution_id = $2",
        org.0,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}
