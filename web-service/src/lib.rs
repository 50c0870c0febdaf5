//! web-service: what people own, and the only way in for callers.
//!
//! - [`api`]: accept, parse, one call, wrap. No SQL.
//! - [`app`]: what takes more than one statement; [`app::change`] holds a change and its line in the audit trail together.
//! - [`store`]: the statements, one module a resource; [`resource`] is what the plain ones share.
//! - [`storage`]: the bytes of files, in a folder or in a bucket; [`file_server`] serves them to whoever has a signed URL.
//! - [`configs`]: what schemas, configurations and templates may say.
//! - [`runtime`]: the client of runtime-service.
//! - [`auth`]: who is calling: a key of an organization, a token of a configured issuer, or the platform itself.

pub mod api;
pub mod app;
pub mod auth;
pub mod config;
pub mod configs;
pub mod file_server;
pub mod resource;
pub mod runtime;
pub mod storage;
pub mod store;

pub use config::Config;

use app::{App, agents::sender, files::sweep, purges::worker};
use auth::Authentication;
use file_server::FileServer;
use shared_db::{
    scope::Service,
    service::{Boot, Listeners},
};
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;

/// Serves until `stop` is cancelled and all has ended.
pub async fn serve(
    config: Config,
    listeners: Listeners,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut boot = Boot::new(Service::Web, config.service.clone(), web_api::DESCRIPTOR)?;
    let file_server = FileServer::bind(config.files.files_listen).await?;
    let files_at = file_server.as_ref().map(FileServer::address).transpose()?;
    let app = App::new(boot.db.clone(), &config, files_at, stop.clone())?;
    let authentication = Authentication::new(&app, &config).await?;
    let runtime = app.runtime.clone();
    boot.background("runtime addresses", move |stop| runtime.clone().resolve(stop));
    let (runtime, interval) = (app.runtime.clone(), config.service.tls.tls_reload_interval);
    boot.background("runtime certificates", move |stop| runtime.clone().reload(interval, stop));
    let (sender, interval) = (app.clone(), config.runtime.sender_interval);
    boot.background("sender", move |stop| sender::run(sender.clone(), interval, stop));
    let purging = app.clone();
    boot.background("purges", move |stop| worker::run(purging.clone(), stop));
    let (hints, hub) = (app.hub.hints(), app.hub.clone());
    boot.background("event hints", move |stop| hints.clone().run(stop));
    boot.background("watched executions", move |stop| hub.clone().run(stop));
    let swept = app.clone();
    boot.background("sweep of what was deleted", move |stop| sweep::run(swept.clone(), stop));
    if let Some(server) = file_server {
        let app = app.clone();
        boot.background("file server", move |stop| server.clone().run(app.clone(), stop));
    }
    let mut routes = RoutesBuilder::default();
    api::add_services(&mut routes, boot.limits, &app);
    boot.run(routes.routes(), authentication, listeners, stop).await
}
