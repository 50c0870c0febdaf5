//! Writes what agents do, and does the work.
//!
//! Commands come from web-service over `freehold.runtime.v1`; [`engine`] performs what they start. Nothing here knows web: what
//! it has to tell, it writes into `runtime.*`, which web reads.

pub mod api;
pub mod app;
pub mod auth;
pub mod config;
pub mod engine;
pub mod executor;
pub mod store;

pub use config::Config;

use api::{
    agents::AgentService, dead_letters::DeadLetterService, executions::ExecutionService,
    input_requests::InputRequestService, limits::ConcurrencyLimitService, purges::PurgeService,
};
use app::{
    dead_letters::DeadLetters, executions::Executions, input_requests::InputRequests,
    limits::Limits, purges::Purges,
};
use runtime_api::v1::{
    agent_service_server::AgentServiceServer,
    concurrency_limit_service_server::ConcurrencyLimitServiceServer,
    dead_letter_service_server::DeadLetterServiceServer,
    execution_service_server::ExecutionServiceServer,
    input_request_service_server::InputRequestServiceServer,
    purge_service_server::PurgeServiceServer,
};
use shared_db::{
    scope::Service,
    service::{Boot, Listeners},
    tuned,
};
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

/// Serves commands and does work until `stop`.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut boot = Boot::new(Service::Runtime, config.service, runtime_api::DESCRIPTOR)?;
    let authenticate = auth::WebOnly::new(&config.callers)?;

    let engine = engine::Engine::new(boot.db.clone(), config.engine)?;
    let letters = DeadLetters::of(&engine);
    let concurrency = Limits { db: boot.db.clone(), wake: engine.wake() };
    let executions = Executions::of(&engine);
    let input_requests = InputRequests::of(&engine);
    let purges = Purges::of(&engine);
    boot.essential("engine", async move |stop| {
        engine.run(stop).await;
        Ok(())
    });

    let (db, limits) = (boot.db.clone(), boot.limits);
    let mut routes = RoutesBuilder::default();
    routes
        .add_service(tuned!(limits, AgentServiceServer::new(AgentService { db })))
        .add_service(tuned!(limits, ExecutionServiceServer::new(ExecutionService { executions })))
        .add_service(tuned!(limits, DeadLetterServiceServer::new(DeadLetterService { letters })))
        .add_service(tuned!(
            limits,
            ConcurrencyLimitServiceServer::new(ConcurrencyLimitService { limits: concurrency })
        ))
        .add_service(tuned!(
            limits,
            InputRequestServiceServer::new(InputRequestService { input_requests })
        ))
        .add_service(tuned!(limits, PurgeServiceServer::new(PurgeService { purges })));
    boot.run(routes.routes(), authenticate, listeners, stop).await
}
