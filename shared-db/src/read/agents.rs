//! Agents. Soft-deleted: rows with a `deleted_at` are invisible here.

use super::{filled, message, object};
use crate::{
    enums::AgentType,
    error::{Error, Result},
    ids::{AgentId, Etag, OrganizationId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
    scope::{Db, Scope},
    wire::timestamp,
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use serde_json::Value;
use sqlx::PgConnection;

/// A row of `runtime.agents`.
#[derive(Clone, Debug)]
pub struct Agent {
    pub org_id: OrganizationId,
    pub id: AgentId,
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
    pub revision: i32,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a list is narrowed to; `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    pub agent_type: Option<AgentType>,
    pub department: Option<String>,
    pub tag: Option<String>,
}

/// An organization that may use an agent of another.
#[derive(Clone, Debug)]
pub struct AgentShare {
    pub agent_id: AgentId,
    pub org_id: OrganizationId,
    pub created_at: DateTime<Utc>,
}

/// Runs a statement that ends in, or begins with, the columns of an agent: `$head`, the columns, `$tail`.
///
/// Exported for the one who writes the table; everyone else calls the functions of this module.
#[macro_export]
macro_rules! agent_columns {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::read::agents::Agent,
            $head + " org_id, id, slug, name, description, version, agent_type, department, tags, io_schema, capabilities,
                context, endpoint, llm_config, metadata, revision, etag, created_at, updated_at " + $tail
            $(, $arg)*
        )
    };
}
use agent_columns as agent;

/// An agent that the organization owns.
pub async fn get(conn: &mut PgConnection, org: OrganizationId, id: AgentId) -> Result<pb::Agent> {
    find(conn, org, id).await?.ok_or_else(|| Error::not_found("agent", id))
}

/// An agent that the organization owns or that is shared with it.
///
/// The row of a shared agent belongs to another organization, so it is read in the platform's scope, by a statement that goes
/// through the share. The caller holds no connection meanwhile: this takes one, and the one of the first look was given back.
pub async fn get_usable(
    db: &Db,
    org: OrganizationId,
    user: Option<UserId>,
    id: AgentId,
) -> Result<pb::Agent> {
    let mut tx = db.begin(Scope::Tenant(org, user)).await?;
    let own = find(&mut tx, org, id).await?;
    drop(tx);
    if let Some(own) = own {
        return Ok(own);
    }
    let mut tx = db.begin(Scope::Platform).await?;
    find_shared(&mut tx, org, id).await?.ok_or_else(|| Error::not_found("agent", id))
}

/// An agent that the organization owns, if there is one.
pub async fn find(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
) -> Result<Option<pb::Agent>> {
    let row = agent!(
        "select",
        "from runtime.agents
         where org_id = $1 and id = $2 and deleted_at is null",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// An agent of another organization that is shared with `org`, if there is one. For a transaction of the platform.
pub async fn find_shared(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
) -> Result<Option<pb::Agent>> {
    let row = agent!(
        "select",
        "from runtime.agents
         where (org_id, id) in (
             select agent_org_id, agent_id
             from runtime.agent_organizations
             where org_id = $1 and agent_id = $2
         )
           and deleted_at is null",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The agents that the organization owns, newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &AgentFilter,
    page: &PageRequest,
) -> Result<Page<pb::Agent>> {
    let rows = agent!(
        "select",
        "from runtime.agents
         where org_id = $1
           and deleted_at is null
           and ($2::runtime.agent_type is null or agent_type = $2)
           and ($3::text is null or department = $3)
           and ($4::text is null or tags @> array[$4])
           and ($5::timestamptz is null or (created_at, id) < ($5, $6))
         order by created_at desc, id desc
         limit $7",
        org.0,
        filter.agent_type as Option<AgentType>,
        filter.department,
        filter.tag,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, TryInto::try_into).await
}

/// The organizations that an agent of `org` is shared with, newest first. The rows belong to those organizations: for a
/// transaction of the platform.
pub async fn shares(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    page: &PageRequest,
) -> Result<Page<AgentShare>> {
    let rows = sqlx::query_as!(
        AgentShare,
        "select agent_id, org_id, created_at
         from runtime.agent_organizations
         where agent_org_id = $1
           and agent_id = $2
           and ($3::timestamptz is null or (created_at, org_id) < ($3, $4))
         order by created_at desc, org_id desc
         limit $5",
        org.0,
        id.0,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(Page::from_rows(rows, page))
}

/// The share of an agent of `org` with `with`. For a transaction of the platform.
pub async fn share(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: AgentId,
    with: OrganizationId,
) -> Result<AgentShare> {
    let row = sqlx::query_as!(
        AgentShare,
        "select agent_id, org_id, created_at
         from runtime.agent_organizations
         where agent_org_id = $1 and agent_id = $2 and org_id = $3",
        org.0,
        id.0,
        with.0,
    )
    .fetch_optional(conn)
    .await?;
    row.ok_or_else(|| Error::not_found("agent_share", with))
}

impl Paged for Agent {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}

impl Paged for AgentShare {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.org_id.0)
    }
}

impl TryFrom<Agent> for pb::Agent {
    type Error = Error;

    fn try_from(it: Agent) -> Result<Self> {
        Ok(Self {
            id: it.id.to_string(),
            organization_id: it.org_id.to_string(),
            slug: it.slug,
            name: it.name,
            description: it.description,
            version: it.version,
            r#type: pb::AgentType::from(it.agent_type).into(),
            department: it.department,
            tags: it.tags,
            io_schema: message(filled(it.io_schema))?,
            capabilities: it.capabilities,
            context: it.context,
            endpoint: message(it.endpoint)?,
            llm_config: message(it.llm_config)?,
            metadata: object(it.metadata),
            revision: it.revision,
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            etag: it.etag.to_string(),
        })
    }
}
