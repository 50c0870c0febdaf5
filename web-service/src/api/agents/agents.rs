//! `AgentService`.

use crate::{
    api::request::{id, list_id, required},
    app::{App, agents::agents},
};
use common_api::types::{Agent, AgentType};
use shared_db::{
    enums,
    ids::AgentId,
    read::agents::{self as read, AgentFilter, AgentShare},
    scope::Scope,
    service::accept,
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, agent_service_server};

pub struct AgentService {
    pub app: App,
}

#[tonic::async_trait]
impl agent_service_server::AgentService for AgentService {
    async fn get_agent(&self, request: Request<pb::GetAgentRequest>) -> Result<Response<Agent>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let agent = read::get_usable(&self.app.db, caller.org()?, caller.user, id).await?;
        Ok(Response::new(agent))
    }

    async fn list_agents(
        &self,
        request: Request<pb::ListAgentsRequest>,
    ) -> Result<Response<pb::ListAgentsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let filter = filter(&request);
        let list = list_id(&caller, "agents", &[&format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let page = read::list(&mut tx, org, &filter, &page).await?;
        Ok(Response::new(pb::ListAgentsResponse {
            agents: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_agent(
        &self,
        request: Request<pb::CreateAgentRequest>,
    ) -> Result<Response<Agent>> {
        let (caller, request) = accept(request)?;
        let agent = required("agent", request.agent)?;
        Ok(Response::new(agents::create(&self.app, &caller, &request.request_id, agent).await?))
    }

    async fn update_agent(
        &self,
        request: Request<pb::UpdateAgentRequest>,
    ) -> Result<Response<Agent>> {
        let (caller, request) = accept(request)?;
        let agent = required("agent", request.agent)?;
        let id = id("agent.id", &agent.id)?;
        let agent = agents::update(&self.app, &caller, id, agent, request.update_mask).await?;
        Ok(Response::new(agent))
    }

    async fn delete_agent(&self, request: Request<pb::DeleteAgentRequest>) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        agents::delete(&self.app, &caller, id, request.etag).await?;
        Ok(Response::new(()))
    }

    async fn share_agent(
        &self,
        request: Request<pb::ShareAgentRequest>,
    ) -> Result<Response<pb::AgentShare>> {
        let (caller, request) = accept(request)?;
        let agent = id("agent_id", &request.agent_id)?;
        let with = id("organization_id", &request.organization_id)?;
        let share = agents::share(&self.app, &caller, agent, with).await?;
        Ok(Response::new(share_message(&share)))
    }

    async fn unshare_agent(
        &self,
        request: Request<pb::UnshareAgentRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let agent = id("agent_id", &request.agent_id)?;
        let with = id("organization_id", &request.organization_id)?;
        agents::unshare(&self.app, &caller, agent, with).await?;
        Ok(Response::new(()))
    }

    async fn list_agent_shares(
        &self,
        request: Request<pb::ListAgentSharesRequest>,
    ) -> Result<Response<pb::ListAgentSharesResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let agent: AgentId = id("agent_id", &request.agent_id)?;
        let list = list_id(&caller, "agent_shares", &[&request.agent_id]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        // The rows belong to the organizations that may use the agent.
        let mut tx = self.app.db.begin(Scope::Platform).await?;
        read::get(&mut tx, org, agent).await?;
        let page = read::shares(&mut tx, org, agent, &page).await?;
        Ok(Response::new(pb::ListAgentSharesResponse {
            shares: page.items.iter().map(share_message).collect(),
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }
}

fn filter(request: &pb::ListAgentsRequest) -> AgentFilter {
    let agent_type = AgentType::try_from(request.r#type).unwrap_or_default();
    let said = |it: &String| (!it.is_empty()).then(|| it.clone());
    AgentFilter {
        agent_type: enums::AgentType::from_wire(agent_type),
        department: said(&request.department),
        tag: said(&request.tag),
    }
}

fn share_message(it: &AgentShare) -> pb::AgentShare {
    pb::AgentShare {
        agent_id: it.agent_id.to_string(),
        organization_id: it.org_id.to_string(),
        create_time: Some(timestamp(it.created_at)),
    }
}
