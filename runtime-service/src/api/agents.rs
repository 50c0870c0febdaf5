//! `AgentService`.

use crate::app::agents;
use common_api::types::Agent;
use runtime_api::v1::{self as pb, agent_service_server};
use shared_db::{
    error::Error,
    read,
    scope::Db,
    service::{accept, id},
};
use tonic::{Request, Response, Result};

pub struct AgentService {
    pub db: Db,
}

#[tonic::async_trait]
impl agent_service_server::AgentService for AgentService {
    async fn get_agent(&self, request: Request<pb::GetAgentRequest>) -> Result<Response<Agent>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let agent = read::agents::get_usable(&self.db, caller.org()?, caller.user, id).await?;
        Ok(Response::new(agent))
    }

    async fn create_agent(
        &self,
        request: Request<pb::CreateAgentRequest>,
    ) -> Result<Response<Agent>> {
        let (caller, request) = accept(request)?;
        let agent = required(request.agent)?;
        let id = id("agent.id", &agent.id)?;
        Ok(Response::new(agents::create(&self.db, &caller, id, agent).await?))
    }

    async fn update_agent(
        &self,
        request: Request<pb::UpdateAgentRequest>,
    ) -> Result<Response<Agent>> {
        let (caller, request) = accept(request)?;
        let agent = required(request.agent)?;
        let id = id("agent.id", &agent.id)?;
        let agent = agents::update(&self.db, &caller, id, agent, request.update_mask).await?;
        Ok(Response::new(agent))
    }

    async fn delete_agent(&self, request: Request<pb::DeleteAgentRequest>) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        agents::delete(&self.db, &caller, id, &request.etag).await?;
        Ok(Response::new(()))
    }

    async fn share_agent(&self, request: Request<pb::ShareAgentRequest>) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let agent = id("agent_id", &request.agent_id)?;
        let with = id("organization_id", &request.organization_id)?;
        agents::share(&self.db, &caller, agent, with).await?;
        Ok(Response::new(()))
    }

    async fn unshare_agent(
        &self,
        request: Request<pb::UnshareAgentRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let agent = id("agent_id", &request.agent_id)?;
        let with = id("organization_id", &request.organization_id)?;
        agents::unshare(&self.db, &caller, agent, with).await?;
        Ok(Response::new(()))
    }
}

fn required(agent: Option<Agent>) -> Result<Agent, Error> {
    agent.ok_or_else(|| Error::invalid("agent", "is required"))
}
