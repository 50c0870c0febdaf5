//! What the executions of one tree share.

use crate::{
    error::{Error, Result},
    ids::{AgentId, ExecutionId, OrganizationId},
    json,
    page::{Cursor, Page, PageRequest, Paged},
    wire::timestamp,
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A row of `runtime.workflow_data`.
struct WorkflowData {
    /// Made from the key, for a place in the list.
    id: Uuid,
    root_execution_id: ExecutionId,
    key: String,
    value: Value,
    data_type: String,
    tags: Vec<String>,
    execution_id: ExecutionId,
    step_key: String,
    created_by_agent: AgentId,
    created_at: DateTime<Utc>,
}

/// The outermost execution of the tree that an execution belongs to.
pub async fn root(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
) -> Result<ExecutionId> {
    let row = sqlx::query!(
        "select root_execution_id
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        execution.0,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|it| it.root_execution_id).ok_or_else(|| Error::not_found("execution", execution))
}

/// What a tree keeps under a key.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    root: ExecutionId,
    key: &str,
) -> Result<pb::WorkflowData> {
    let row = sqlx::query_as!(
        WorkflowData,
        r#"select md5(key)::uuid as "id!", root_execution_id, key, value, data_type, tags, execution_id, step_key, created_by_agent,
            created_at
         from runtime.workflow_data
         where org_id = $1 and root_execution_id = $2 and key = $3"#,
        org.0,
        root.0,
        key,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Into::into).ok_or_else(|| Error::not_found("workflow_data", key))
}

/// What a tree keeps, with all of these tags, oldest first.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    root: ExecutionId,
    tags: &[String],
    page: &PageRequest,
) -> Result<Page<pb::WorkflowData>> {
    let rows = sqlx::query_as!(
        WorkflowData,
        r#"select md5(key)::uuid as "id!", root_execution_id, key, value, data_type, tags, execution_id, step_key, created_by_agent,
            created_at
         from runtime.workflow_data
         where org_id = $1
           and root_execution_id = $2
           and ($3::text[] = '{}' or tags @> $3)
           and ($4::timestamptz is null or ($4, $5) < (created_at, md5(key)::uuid))
         order by created_at, md5(key)::uuid
         limit $6"#,
        org.0,
        root.0,
        tags,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

impl Paged for WorkflowData {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id)
    }
}

impl From<WorkflowData> for pb::WorkflowData {
    fn from(it: WorkflowData) -> Self {
        Self {
            key: it.key,
            value: Some(json::to_value(it.value)),
            data_type: it.data_type,
            tags: it.tags,
            root_execution_id: it.root_execution_id.to_string(),
            execution_id: it.execution_id.to_string(),
            step_key: it.step_key,
            agent_id: it.created_by_agent.to_string(),
            create_time: Some(timestamp(it.created_at)),
        }
    }
}
