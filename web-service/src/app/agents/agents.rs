//! Changing agents and sharing them.

use super::commands::{self, Command};
use crate::{
    app::{App, change::Change},
    runtime::Actor,
    store::identity::members,
};
use common_api::types::Agent;
use prost_types::FieldMask;
use runtime_api::v1 as rt;
use shared_db::{
    enums::MemberRole,
    error::{Error, Result},
    ids::{AgentId, OrganizationId},
    read::{self, agents::AgentShare},
    scope::Scope,
    service::{Caller, Mask},
};

/// Creates an agent: once per request id, if there is one.
pub async fn create(
    app: &App,
    caller: &Caller,
    request_id: &str,
    mut agent: Agent,
) -> Result<Agent> {
    if !request_id.is_empty() {
        agent.id = String::new();
        let command = Command::CreateAgent(rt::CreateAgentRequest { agent: Some(agent) });
        return commands::run(app, caller, request_id, command).await;
    }
    let id = AgentId::generate();
    agent.id = id.to_string();
    let request = rt::CreateAgentRequest { agent: Some(agent) };
    let agent = app.runtime.create_agent(Actor::of(caller)?, request).await?;
    Change::new(caller, "CreateAgent", id).apply(&app.db, async |_| Ok(agent)).await
}

pub async fn update(
    app: &App,
    caller: &Caller,
    id: AgentId,
    agent: Agent,
    mask: Option<FieldMask>,
) -> Result<Agent> {
    let fields = Mask::new::<Agent>(mask.clone())?.fields();
    let request = rt::UpdateAgentRequest { agent: Some(agent), update_mask: mask };
    let agent = app.runtime.update_agent(Actor::of(caller)?, request).await?;
    Change::new(caller, "UpdateAgent", id).fields(fields).apply(&app.db, async |_| Ok(agent)).await
}

pub async fn delete(app: &App, caller: &Caller, id: AgentId, etag: String) -> Result<()> {
    let request = rt::DeleteAgentRequest { id: id.to_string(), etag };
    app.runtime.delete_agent(Actor::of(caller)?, request).await?;
    Change::new(caller, "DeleteAgent", id).apply(&app.db, async |_| Ok(())).await
}

/// Lets `with` use an agent. The caller's user must be at home there too, or the organization is not found, whether or not it
/// exists.
pub async fn share(
    app: &App,
    caller: &Caller,
    id: AgentId,
    with: OrganizationId,
) -> Result<AgentShare> {
    let org = caller.org()?;
    must_lead(app, caller, with).await?;
    let request =
        rt::ShareAgentRequest { agent_id: id.to_string(), organization_id: with.to_string() };
    app.runtime.share_agent(Actor::of(caller)?, request).await?;
    Change::new(caller, "ShareAgent", id)
        .across_organizations()
        .apply(&app.db, async |tx| read::agents::share(tx, org, id, with).await)
        .await
}

pub async fn unshare(app: &App, caller: &Caller, id: AgentId, with: OrganizationId) -> Result<()> {
    let request =
        rt::UnshareAgentRequest { agent_id: id.to_string(), organization_id: with.to_string() };
    app.runtime.unshare_agent(Actor::of(caller)?, request).await?;
    Change::new(caller, "UnshareAgent", id).apply(&app.db, async |_| Ok(())).await
}

/// Whether the caller's user is an admin or an owner of `org`, which is not the organization that it acts in.
async fn must_lead(app: &App, caller: &Caller, org: OrganizationId) -> Result<()> {
    let not_found = || Error::not_found("organization", org);
    let user = caller.user.ok_or_else(not_found)?;
    let mut tx = app.db.begin(Scope::Platform).await?;
    match members::role(&mut tx, org, user).await? {
        Some(MemberRole::Admin | MemberRole::Owner) => Ok(()),
        Some(MemberRole::Viewer | MemberRole::Developer) | None => Err(not_found()),
    }
}
