//! The bare handler: tonic, sqlx, and the same statements.

use anyhow::{Context, Result};
use common_api::types::{CancelBatch, Execution, ExecutionExplanation, ExecutionStep};
use shared_db::{
    enums::{ActionKind, RiskLevel, SideEffect},
    ids::{CoreActionId, ExecutionId, OrganizationId},
    json,
};
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};
use std::net::SocketAddr;
use tokio_stream::Empty;
use tonic::{Request, Response, Status, transport::Server};
use uuid::Uuid;
use web_api::v1::{
    self as pb,
    core_action_service_server::{self, CoreActionServiceServer},
    execution_service_server::{self, ExecutionServiceServer},
};
use web_service::store::actions::core_actions::{self, NewCoreAction};

/// As many as a service has.
const CONNECTIONS: u32 = 16;

type Answer<T> = Result<Response<T>, Status>;

#[derive(Clone)]
struct Bare {
    pool: PgPool,
    http: reqwest::Client,
    url: String,
}

pub(crate) async fn serve(listen: SocketAddr, database_url: &str, remote: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(database_url).await?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().build().context("no HTTP client")?;
    let bare = Bare { pool, http, url: format!("{remote}/status/200") };
    Server::builder()
        .add_service(CoreActionServiceServer::new(bare.clone()))
        .add_service(ExecutionServiceServer::new(bare))
        .serve(listen)
        .await?;
    Ok(())
}

fn organization<T>(request: &Request<T>) -> Result<OrganizationId, Status> {
    let org = request.metadata().get("x-freehold-org").and_then(|it| it.to_str().ok());
    Ok(OrganizationId(id(org.unwrap_or_default())?))
}

fn id(text: &str) -> Result<Uuid, Status> {
    text.parse().map_err(|_| Status::invalid_argument("not an id"))
}

fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

impl Bare {
    async fn connection(&self) -> Result<PoolConnection<Postgres>, Status> {
        self.pool.acquire().await.map_err(internal)
    }
}

#[tonic::async_trait]
impl core_action_service_server::CoreActionService for Bare {
    async fn get_core_action(
        &self,
        request: Request<pb::GetCoreActionRequest>,
    ) -> Answer<pb::CoreAction> {
        let (org, id) = (organization(&request)?, id(&request.get_ref().id)?);
        let mut conn = self.connection().await?;
        let action = core_actions::get(&mut conn, org, CoreActionId(id)).await;
        Ok(Response::new(action.map_err(internal)?.try_into().map_err(internal)?))
    }

    async fn create_core_action(
        &self,
        request: Request<pb::CreateCoreActionRequest>,
    ) -> Answer<pb::CoreAction> {
        let org = organization(&request)?;
        let action = request.into_inner().core_action.unwrap_or_default();
        let Some(pb::core_action::Kind::Http(http)) = &action.kind else {
            return Err(Status::invalid_argument("not an HTTP action"));
        };
        let new = NewCoreAction {
            slug: action.slug.clone(),
            name: action.name.clone(),
            description: None,
            platform_id: None,
            kind: ActionKind::Http,
            config: json::from_message(http).map_err(internal)?,
            input_schema: None,
            output_schema: None,
            risk: RiskLevel::Low,
            side_effect: SideEffect::Pure,
            scopes: vec![],
            price_credits: None,
            retry: None,
            disabled: false,
        };
        let mut conn = self.connection().await?;
        let made = core_actions::create(&mut conn, org, CoreActionId::generate(), new).await;
        Ok(Response::new(made.map_err(internal)?.try_into().map_err(internal)?))
    }

    async fn list_core_actions(
        &self,
        _: Request<pb::ListCoreActionsRequest>,
    ) -> Answer<pb::ListCoreActionsResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn update_core_action(
        &self,
        _: Request<pb::UpdateCoreActionRequest>,
    ) -> Answer<pb::CoreAction> {
        Err(Status::unimplemented("not measured"))
    }

    async fn delete_core_action(&self, _: Request<pb::DeleteCoreActionRequest>) -> Answer<()> {
        Err(Status::unimplemented("not measured"))
    }
}

#[tonic::async_trait]
impl execution_service_server::ExecutionService for Bare {
    type WatchExecutionStream = Empty<Result<pb::WatchExecutionResponse, Status>>;

    /// What a program without durability does: notes the work, does it, notes the result, and forgets it all if it dies between.
    async fn start_execution(
        &self,
        request: Request<pb::StartExecutionRequest>,
    ) -> Answer<Execution> {
        let (org, agent) = (organization(&request)?, id(&request.get_ref().agent_id)?);
        let execution = ExecutionId::generate();
        let mut conn = self.connection().await?;
        sqlx::query!(
            "insert into runtime.agent_executions
                 (org_id, id, root_execution_id, agent_org_id, agent_id, agent_revision, state,
                  queue_limit_ms, attempt_limit_ms, total_limit_ms)
             values ($1, $2, $2, $1, $3, 1, 'running', 1000, 1000, 1000)",
            org.0,
            execution.0,
            agent,
        )
        .execute(&mut *conn)
        .await
        .map_err(internal)?;
        drop(conn);

        let answer = self.http.get(&self.url).send().await.map_err(internal)?;
        let output: serde_json::Value = answer.json().await.map_err(internal)?;

        let mut conn = self.connection().await?;
        sqlx::query!(
            "update runtime.agent_executions
             set state = 'succeeded',
                 output = $3,
                 finished_at = now()
             where org_id = $1 and id = $2",
            org.0,
            execution.0,
            output,
        )
        .execute(&mut *conn)
        .await
        .map_err(internal)?;
        Ok(Response::new(Execution { id: execution.to_string(), ..Execution::default() }))
    }

    async fn signal_execution(&self, _: Request<pb::SignalExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn decide_step(&self, _: Request<pb::DecideStepRequest>) -> Answer<ExecutionStep> {
        Err(Status::unimplemented("not measured"))
    }

    async fn batch_start_executions(
        &self,
        _: Request<pb::BatchStartExecutionsRequest>,
    ) -> Answer<pb::BatchStartExecutionsResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn fork_execution(&self, _: Request<pb::ForkExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn get_execution(&self, _: Request<pb::GetExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn list_executions(
        &self,
        _: Request<pb::ListExecutionsRequest>,
    ) -> Answer<pb::ListExecutionsResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn cancel_execution(&self, _: Request<pb::CancelExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn batch_cancel_executions(
        &self,
        _: Request<pb::BatchCancelExecutionsRequest>,
    ) -> Answer<CancelBatch> {
        Err(Status::unimplemented("not measured"))
    }

    async fn pause_execution(&self, _: Request<pb::PauseExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn resume_execution(&self, _: Request<pb::ResumeExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn explain_execution(
        &self,
        _: Request<pb::ExplainExecutionRequest>,
    ) -> Answer<ExecutionExplanation> {
        Err(Status::unimplemented("not measured"))
    }

    async fn watch_execution(
        &self,
        _: Request<pb::WatchExecutionRequest>,
    ) -> Answer<Self::WatchExecutionStream> {
        Err(Status::unimplemented("not measured"))
    }

    async fn list_execution_steps(
        &self,
        _: Request<pb::ListExecutionStepsRequest>,
    ) -> Answer<pb::ListExecutionStepsResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn list_action_executions(
        &self,
        _: Request<pb::ListActionExecutionsRequest>,
    ) -> Answer<pb::ListActionExecutionsResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn wait_execution(&self, _: Request<pb::WaitExecutionRequest>) -> Answer<Execution> {
        Err(Status::unimplemented("not measured"))
    }

    async fn count_executions(
        &self,
        _: Request<pb::CountExecutionsRequest>,
    ) -> Answer<pb::CountExecutionsResponse> {
        Err(Status::unimplemented("not measured"))
    }
}
