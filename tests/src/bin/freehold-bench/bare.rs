//! The bare handler: tonic, sqlx, and the same statements.

use anyhow::{Context, Result};
use common_api::types::{CancelBatch, Execution, ExecutionExplanation, ExecutionStep};
use shared_db::{
    ids::{ActivityId, ExecutionId, NoteId, OrganizationId},
    page::{PAGE_SIZE_DEFAULT, PageRequest},
};
use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions};
use std::net::SocketAddr;
use tokio_stream::Empty;
use tonic::{Request, Response, Status, transport::Server};
use uuid::Uuid;
use web_api::v1::{
    self as pb,
    execution_service_server::{self, ExecutionServiceServer},
    note_service_server::{self, NoteServiceServer},
};
use web_service::{
    resource::{Create, Get, List, Resource, Trail},
    store::apps::notes::{Note, NoteFilter},
};

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
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        // As whoever has looked for what makes it slow would set it.
        .test_before_acquire(false)
        .connect(database_url)
        .await?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().build().context("no HTTP client")?;
    let bare = Bare { pool, http, url: format!("{remote}/status/200") };
    Server::builder()
        .add_service(NoteServiceServer::new(bare.clone()))
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
impl note_service_server::NoteService for Bare {
    async fn get_note(&self, request: Request<pb::GetNoteRequest>) -> Answer<pb::Note> {
        let (org, id) = (organization(&request)?, id(&request.get_ref().id)?);
        let mut conn = self.connection().await?;
        let note = Note::get(&mut conn, org, NoteId(id)).await.map_err(internal)?;
        Ok(Response::new(note.into_wire().map_err(internal)?))
    }

    async fn list_notes(
        &self,
        request: Request<pb::ListNotesRequest>,
    ) -> Answer<pb::ListNotesResponse> {
        let org = organization(&request)?;
        let page = PageRequest { size: PAGE_SIZE_DEFAULT, after: None };
        let mut conn = self.connection().await?;
        let page = Note::list(&mut conn, org, &NoteFilter::default(), 0, &page).await;
        let notes = page.map_err(internal)?.items;
        Ok(Response::new(pb::ListNotesResponse { notes, ..pb::ListNotesResponse::default() }))
    }

    /// The statement writes the audit trail as well: the same one is compared.
    async fn create_note(&self, request: Request<pb::CreateNoteRequest>) -> Answer<pb::Note> {
        let org = organization(&request)?;
        let note = request.into_inner().note.unwrap_or_default();
        let new = Note::new_from(note).map_err(internal)?;
        let trail = Trail {
            id: ActivityId::generate(),
            user: None,
            api_key: None,
            action: "CreateNote".to_owned(),
            fields: Vec::new(),
            trace_id: None,
        };
        let mut conn = self.connection().await?;
        let made = Note::create(&mut conn, org, NoteId::generate(), new, &trail).await;
        Ok(Response::new(made.map_err(internal)?.into_wire().map_err(internal)?))
    }

    async fn batch_get_notes(
        &self,
        _: Request<pb::BatchGetNotesRequest>,
    ) -> Answer<pb::BatchGetNotesResponse> {
        Err(Status::unimplemented("not measured"))
    }

    async fn update_note(&self, _: Request<pb::UpdateNoteRequest>) -> Answer<pb::Note> {
        Err(Status::unimplemented("not measured"))
    }

    async fn delete_note(&self, _: Request<pb::DeleteNoteRequest>) -> Answer<()> {
        Err(Status::unimplemented("not measured"))
    }

    async fn undelete_note(&self, _: Request<pb::UndeleteNoteRequest>) -> Answer<pb::Note> {
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
