//! Agents, their revisions and their shares. Soft-deleted: rows with a `deleted_at` are invisible here.

use serde_json::Value;
use shared_db::{
    agent_columns,
    enums::AgentType,
    error::{Error, Result},
    ids::{AgentId, CoreActionId, Etag, OrganizationId, UserId},
    read,
};
use sqlx::PgConnection;
use uuid::Uuid;

/// What can be written of an agent.
#[derive(Clone, Debug)]
pub struct NewAgent {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub version: String,
    pub agent_type: AgentType,
    pub department: String,
    pub tags: Vec<String>,
    pub io_schema: Value,
    pub capabilities: Vec<String>,
    pub context: String,
    pub endpoint: Option<Value>,
    pub llm_config: Option<Value>,
    pub metadata: Value,
}

/// `None` when there is an agent of this id already.
pub async fn create(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    new: NewAgent,
) -> Result<Option<read::agents::Agent>> {
    agent_columns!(
        "insert into runtime.agents
             (org_id, id, slug, name, description, version, agent_type, department, tags, io_schema, capabilities, context,
              endpoint, llm_config, metadata)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (org_id, id) do nothing
         returning",
        "",
        org.0,
        id.0,
        new.slug,
        new.name,
        new.description,
        new.version,
        new.agent_type as AgentType,
        new.department,
        &new.tags,
        new.io_schema,
        &new.capabilities,
        new.context,
        new.endpoint,
        new.llm_config,
        new.metadata,
    )
    .fetch_optional(conn)
    .await
    .map_err(refused)
}

/// The agent, kept from changing until the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
) -> Result<read::agents::Agent> {
    agent_columns!(
        "select",
        "from runtime.agents
         where org_id = $1 and id = $2 and deleted_at is null
         for update",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("agent", id))
}

/// Replaces what can be changed and raises the revision.
pub async fn update(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    new: NewAgent,
) -> Result<read::agents::Agent> {
    agent_columns!(
        "update runtime.agents
         set name = $3,
             description = $4,
             version = $5,
             department = $6,
             tags = $7,
             io_schema = $8,
             capabilities = $9,
             context = $10,
             endpoint = $11,
             llm_config = $12,
             metadata = $13,
             revision = revision + 1,
             etag = gen_random_uuid()
         where org_id = $1 and id = $2 and deleted_at is null
         returning",
        "",
        org.0,
        id.0,
        new.name,
        new.description,
        new.version,
        new.department,
        &new.tags,
        new.io_schema,
        &new.capabilities,
        new.context,
        new.endpoint,
        new.llm_config,
        new.metadata,
    )
    .fetch_optional(conn)
    .await
    .map_err(refused)?
    .ok_or_else(|| Error::not_found("agent", id))
}

/// Keeps a definition for the executions that begin with it.
pub async fn append_version(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    revision: i32,
    definition: Value,
    by: Option<UserId>,
) -> Result<()> {
    sqlx::query!(
        "insert into runtime.agent_versions (org_id, agent_id, revision, definition, created_by)
         values ($1, $2, $3, $4, $5)",
        org.0,
        id.0,
        revision,
        definition,
        by.map(|it| it.0),
    )
    .execute(conn)
    .await
    .map_err(refused)?;
    Ok(())
}

/// What an agent was at a revision, in its JSON form. Revisions never change.
pub async fn definition(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    revision: i32,
) -> Result<Option<Value>> {
    let row = sqlx::query!(
        "select definition
         from runtime.agent_versions
         where org_id = $1 and agent_id = $2 and revision = $3",
        org.0,
        id.0,
        revision,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.definition))
}

/// Deletes the agent if nothing has changed it since `etag`.
pub async fn delete(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    etag: Option<Etag>,
) -> Result<()> {
    let deleted = sqlx::query!(
        "update runtime.agents
         set deleted_at = now()
         where org_id = $1 and id = $2 and deleted_at is null and ($3::uuid is null or etag = $3)",
        org.0,
        id.0,
        etag.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await?;
    if deleted.rows_affected() == 1 {
        return Ok(());
    }
    match read::agents::find(conn, org, id).await? {
        Some(_) => Err(Error::etag_mismatch("agent", id)),
        None => Err(Error::not_found("agent", id)),
    }
}

/// Lets `with` use an agent of `org`; again changes nothing. The row belongs to `with`: for a transaction of the platform.
pub async fn share(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    with: OrganizationId,
    by: Option<UserId>,
) -> Result<()> {
    sqlx::query!(
        "insert into runtime.agent_organizations (org_id, agent_org_id, agent_id, shared_by)
         select $3, org_id, id, $4
         from runtime.agents
         where org_id = $1 and id = $2 and deleted_at is null
         on conflict (org_id, agent_id) do nothing",
        org.0,
        id.0,
        with.0,
        by.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await
    .map_err(|error| {
        Error::from(error)
            .on_constraint("agent_organizations_org_id_fkey", || {
                Error::not_found("organization", with)
            })
            .on_constraint("agent_organizations_other_check", || {
                Error::invalid("organization_id", "is the organization of the agent")
            })
    })?;
    Ok(())
}

/// Takes that back; again changes nothing. For a transaction of the platform.
pub async fn unshare(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    with: OrganizationId,
) -> Result<()> {
    sqlx::query!(
        "delete from runtime.agent_organizations
         where agent_org_id = $1 and agent_id = $2 and org_id = $3",
        org.0,
        id.0,
        with.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of `ids` that are core actions of the organization.
pub async fn known_actions(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[CoreActionId],
) -> Result<Vec<CoreActionId>> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let known = sqlx::query_scalar!(
        r#"select id as "id: CoreActionId"
         from web.core_actions
         where org_id = $1 and id = any($2)"#,
        org.0,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(known)
}

/// What the checks of the tables say of a write, in the words of the contract.
fn refused(error: sqlx::Error) -> Error {
    let long = |field: &'static str| move || Error::invalid(field, "is too long as JSON");
    Error::from(error)
        .on_constraint("agents_slug_key", || Error::AlreadyExists {
            resource: "agent",
            key: "slug",
        })
        .on_constraint("agents_io_schema_check", long("agent.io_schema"))
        .on_constraint("agents_endpoint_check", long("agent.endpoint"))
        .on_constraint("agents_llm_config_check", long("agent.llm_config"))
        .on_constraint("agents_metadata_check", long("agent.metadata"))
        .on_constraint("agent_versions_definition_check", long("agent"))
}

/// The platforms that actions of the organization are on.
pub async fn platforms(
    conn: &mut PgConnection,
    org: OrganizationId,
    actions: &[Uuid],
) -> Result<Vec<Uuid>> {
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select distinct platform_id as "id!: Uuid"
         from web.core_actions
         where org_id = $1 and id = any($2) and platform_id is not null"#,
        org.0,
        actions,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.id).collect())
}
