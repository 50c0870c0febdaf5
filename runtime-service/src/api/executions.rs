//! `ExecutionService`.

use crate::app::executions::Executions;
use common_api::types::{CancelBatch, Execution, ExecutionStep};
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

    async fn batch_start_executions(
        &self,
        request: Request<pb::BatchStartExecutionsRequest>,
    ) -> Result<Response<pb::BatchStartExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.executions.start_batch(&caller, request.requests).await?))
    }

    async fn fork_execution(
        &self,
        request: Request<pb::ForkExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.executions.fork(&caller, request).await?))
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
        Ok(Response::new(
            self.executions.cancel(&caller, id, &request.reason, request.force).await?,
        ))
    }

    async fn batch_cancel_executions(
        &self,
        request: Request<pb::BatchCancelExecutionsRequest>,
    ) -> Result<Response<CancelBatch>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.executions.batch_cancel(&caller, request).await?))
    }

    async fn pause_execution(
        &self,
        request: Request<pb::PauseExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(self.executions.pause(&caller, id).await?))
    }

    async fn resume_execution(
        &self,
        request: Request<pb::ResumeExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(self.executions.resume(&caller, id).await?))
    }

    async fn signal_execution(
        &self,
        request: Request<pb::SignalExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.executions.signal(&caller, request).await?))
    }

    async fn decide_step(
        &self,
        request: Request<pb::DecideStepRequest>,
    ) -> Result<Response<ExecutionStep>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.executions.decide(&caller, request).await?))
    }
}
