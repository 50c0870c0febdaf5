//! The bare handler: tonic, sqlx, and the same statements.

use anyhow::{Context, Result};
use common_api::types::Execution;
use shared_db::ids::{CoreActionId, ExecutionId, OrganizationId};
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::net::SocketAddr;
use tokio_stream::Empty;
use tonic::{Request, Response, Status, transport::Server};
use uuid::Uuid;
use web_api::v1::{
    self as pb, core_action_service_server::CoreActionServiceServer,
    execution_service_server::ExecutionServiceServer,
};
use web_service::store::actions::core_actions;

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
