//! web-service: what people own, and the only way in for callers.
//!
//! - [`api`]: accept, parse, one call, wrap. No SQL.
//! - [`app`]: what takes more than one statement; [`app::change`] holds a change and its line in the audit trail together.
//! - [`store`]: the statements, one module a resource; [`resource`] is what the plain ones share.
//! - [`runtime`]: the client of runtime-service.
//! - [`auth`]: who is calling: a key of an organization, a token of a configured issuer, or the platform itself.

pub mod api;
pub mod app;
pub mod auth;
pub mod config;
pub mod resource;
pub mod runtime;
pub mod store;

pub use config::Config;

use app::{App, agents::sender, purges::worker};
use auth::Authentication;
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
    let app = App::new(boot.db.clone(), &config, stop.clone())?;
    let authentication = Authentication::new(&app, &config).await?;
    let runtime = app.runtime.clone();
    boot.background("runtime addresses", move |stop| runtime.clone().resolve(stop));
    let (sender, interval) = (app.clone(), config.runtime.sender_interval);
    boot.background("sender", move |stop| sender::run(sender.clone(), interval, stop));
    let purging = app.clone();
    boot.background("purges", move |stop| worker::run(purging.clone(), stop));
    let (hints, hub) = (app.hub.hints(), app.hub.clone());
    boot.background("event hints", move |stop| hints.clone().run(stop));
    boot.background("watched executions", move |stop| hub.clone().run(stop));
    let mut routes = RoutesBuilder::default();
    api::add_services(&mut routes, boot.limits, &app);
    boot.run(routes.routes(), authentication, listeners, stop).await
}
