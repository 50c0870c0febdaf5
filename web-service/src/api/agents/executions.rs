//! `ExecutionService`.

use crate::{
    api::request::{id, id_if_any, list_id},
    app::{
        App,
        agents::{executions, watch::Watch},
    },
};
use common_api::types::{Execution, ExecutionState};
use futures_util::{Stream, StreamExt};
use shared_db::{
    enums,
    error::Error,
    ids::ExecutionId,
    read::{
        executions::{self as read, ExecutionFilter},
        steps,
    },
    service::accept,
};
use std::pin::Pin;
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, execution_service_server};

pub struct ExecutionService {
    pub app: App,
}

#[tonic::async_trait]
impl execution_service_server::ExecutionService for ExecutionService {
    type WatchExecutionStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchExecutionResponse>> + Send>>;

    async fn start_execution(
        &self,
        request: Request<pb::StartExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(executions::start(&self.app, &caller, request).await?))
    }

    async fn get_execution(
        &self,
        request: Request<pb::GetExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        Ok(Response::new(read::get(&mut tx, caller.org()?, id).await?))
    }

    async fn list_executions(
        &self,
        request: Request<pb::ListExecutionsRequest>,
    ) -> Result<Response<pb::ListExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let filter = filter(&request)?;
        let list = list_id(&caller, "executions", &[&format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let page = read::list(&mut tx, org, &filter, &page).await?;
        Ok(Response::new(pb::ListExecutionsResponse {
            executions: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn cancel_execution(
        &self,
        request: Request<pb::CancelExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(executions::cancel(&self.app, &caller, id, request.reason).await?))
    }

    async fn watch_execution(
        &self,
        request: Request<pb::WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>> {
        let (caller, request) = accept(request)?;
        let watch = Watch {
            db: self.app.db.clone(),
            org: caller.org()?,
            user: caller.user,
            id: id("id", &request.id)?,
            next: request.from_seq.max(1),
            config: self.app.watch,
            stop: self.app.stop.clone(),
        };
        let events = watch.start().await?.map(|event| {
            event.map(|it| pb::WatchExecutionResponse { event: Some(it) }).map_err(Into::into)
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn list_execution_steps(
        &self,
        request: Request<pb::ListExecutionStepsRequest>,
    ) -> Result<Response<pb::ListExecutionStepsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let execution: ExecutionId = id("execution_id", &request.execution_id)?;
        let list = list_id(&caller, "steps", &[&request.execution_id]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        read::progress(&mut tx, org, execution).await?;
        let page = steps::list(&mut tx, org, execution, &page).await?;
        Ok(Response::new(pb::ListExecutionStepsResponse {
            steps: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn list_action_executions(
        &self,
        request: Request<pb::ListActionExecutionsRequest>,
    ) -> Result<Response<pb::ListActionExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let execution: ExecutionId = id("execution_id", &request.execution_id)?;
        let list = list_id(&caller, "action_executions", &[&request.execution_id]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        read::progress(&mut tx, org, execution).await?;
        let page = steps::action_executions(&mut tx, org, execution, &page).await?;
        Ok(Response::new(pb::ListActionExecutionsResponse {
            action_executions: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }
}

fn filter(request: &pb::ListExecutionsRequest) -> Result<ExecutionFilter, Error> {
    let state = ExecutionState::try_from(request.state).unwrap_or_default();
    Ok(ExecutionFilter {
        state: enums::ExecutionState::from_wire(state),
        agent: id_if_any("agent_id", &request.agent_id)?,
        session: (!request.session_id.is_empty()).then(|| request.session_id.clone()),
    })
}
