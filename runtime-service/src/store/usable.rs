//! Agents that an organization may execute: its own, and those that are shared with it.

use super::agents;
use common_api::types::Agent;
use shared_db::{
    error::Result,
    ids::{AgentId, OrganizationId},
    read,
    service::id,
};
use sqlx::PgConnection;
use uuid::Uuid;

/// An agent as it stands now.
#[derive(Clone, Debug)]
pub struct Usable {
    /// The organization that owns it.
    pub org: OrganizationId,
    pub agent: Agent,
    /// Platforms that its actions are on.
    pub platforms: Vec<Uuid>,
}

/// The row of a shared agent belongs to another organization, so it is read across them: in `Scope::Platform`.
pub async fn find(
    conn: &mut PgConnection,
    org: OrganizationId,
    agent: AgentId,
) -> Result<Option<Usable>> {
    let found = match read::agents::find(conn, org, agent).await? {
        Some(found) => Some(found),
        None => read::agents::find_shared(conn, org, agent).await?,
    };
    let Some(agent) = found else { return Ok(None) };
    let owner = id("agent.organization_id", &agent.organization_id)?;
    let platforms = platforms(conn, owner, &agent).await?;
    Ok(Some(Usable { org: owner, agent, platforms }))
}

/// The platforms that the actions of an agent of `owner` are on.
pub async fn platforms(
    conn: &mut PgConnection,
    owner: OrganizationId,
    agent: &Agent,
) -> Result<Vec<Uuid>> {
    let calls = agent.endpoint.iter().flat_map(|it| &it.calls);
    let actions: Vec<_> = calls.filter_map(|it| it.core_action_id.parse().ok()).collect();
    agents::platforms(conn, owner, &actions).await
}
