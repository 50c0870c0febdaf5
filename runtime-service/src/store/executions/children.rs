//! The children of an execution, as the step that starts them and waits for them sees them.

use crate::store::lease::Lease;
use serde_json::Value;
use shared_db::{
    enums::ExecutionState,
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId, UserId},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// What children take from their parent.
#[derive(Clone, Debug)]
pub struct Parent {
    pub session_id: String,
    pub priority: i16,
    pub created_by: Option<UserId>,
    pub queue_limit_ms: i64,
    pub attempt_limit_ms: i64,
    /// Until it must be over.
    pub total_left_ms: i64,
}

/// The execution that is held, as a parent.
pub async fn parent(conn: &mut PgConnection, lease: &Lease) -> Result<Parent> {
    let row = sqlx::query_as!(
        Parent,
        r#"select e.session_id, e.priority, e.created_by, e.queue_limit_ms, e.attempt_limit_ms,
            greatest(1, extract(epoch from q.total_deadline - now()) * 1000)::bigint as "total_left_ms!"
         from runtime.agent_executions as e
         join runtime.execution_queue as q on q.org_id = e.org_id and q.execution_id = e.id
         where e.org_id = $1 and e.id = $2"#,
        lease.org.0,
        lease.execution.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// The execution among `ids` that executes this agent, if one does.
pub async fn executing(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[Uuid],
    agent: AgentId,
) -> Result<Option<ExecutionId>> {
    let row = sqlx::query!(
        "select e.id
         from unnest($2::uuid[]) as asked (id)
         cross join lateral (
             select e.id, e.agent_id from runtime.agent_executions as e where e.org_id = $1 and e.id = asked.id limit 1
         ) as e
         where e.agent_id = $3
         limit 1",
        org.0,
        ids,
        agent.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.id))
}

/// Whether children that an execution waits for have not ended.
pub async fn live(
    conn: &mut PgConnection,
    org: OrganizationId,
    parent: ExecutionId,
) -> Result<bool> {
    let row = sqlx::query!(
        r#"select exists (
            select
            from runtime.execution_queue
            where parent_execution_id = $2 and org_id is not distinct from $1 and not detached
         ) as "live!""#,
        org.0,
        parent.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.live)
}

/// Bytes of what executions came to, as JSON.
pub async fn weight(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[ExecutionId],
) -> Result<i64> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let row = sqlx::query!(
        r#"select coalesce(sum(octet_length(output::text)), 0)::bigint as "bytes!"
         from unnest($2::uuid[]) as asked (id)
         cross join lateral (
             select e.output from runtime.agent_executions as e where e.org_id = $1 and e.id = asked.id limit 1
         ) as e"#,
        org.0,
        &ids,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.bytes)
}

/// What a child came to.
#[derive(Clone, Debug)]
pub struct Child {
    pub id: ExecutionId,
    pub state: ExecutionState,
    pub output: Option<Value>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
    pub error_step_key: Option<String>,
}

/// What executions came to, in the order of their ids.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[ExecutionId],
) -> Result<Vec<Child>> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let rows = sqlx::query_as!(
        Child,
        "select e.id, e.state, e.output, e.error_reason, e.error_message, e.error_step_key
         from unnest($2::uuid[]) as asked (id)
         cross join lateral (
             select e.id, e.state, e.output, e.error_reason, e.error_message, e.error_step_key
             from runtime.agent_executions as e
             where e.org_id = $1 and e.id = asked.id
             limit 1
         ) as e
         order by e.id",
        org.0,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
