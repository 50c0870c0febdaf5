//! `ExecutionService`.

use crate::app::executions::Executions;
use common_api::types::Execution;
use runtime_api::v1::{self as pb, execution_service_server};
use shared_db::service::{accept, id};
use tonic::{Request, Response, Result};

pub struct ExecutionService {
    pub executions: Executions,
}

#[tonic::async_trait]
impl execution_service_server::ExecutionService for ExecutionService {
    async fn start_execution(
        &self,
        request: Request<pb::StartExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.executions.start(&caller, request).await?))
    }

    async fn get_execution(
        &self,
        request: Request<pb::GetExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(self.executions.get(&caller, id).await?))
    }

    async fn cancel_execution(
        &self,
        request: Request<pb::CancelExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(self.executions.cancel(&caller, id, &request.reason).await?))
    }
}
