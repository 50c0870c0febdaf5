//! The boot that both binaries share, and what stands around every handler.
//!
//! A service is a story of five steps:
//!
//! ```text
//! pub async fn serve(config: Config, listeners: Listeners, stop: CancellationToken) -> anyhow::Result<()> {
//!     let mut boot = Boot::new(Service::Web, config.service, web_api::DESCRIPTOR)?;
//!     let authenticate = Keys::new(boot.db.clone(), &config.auth)?;
//!
//!     let sender = Sender::new(boot.db.clone(), runtime.clone());
//!     boot.background("sender", move |stop| sender.clone().run(stop)); // or `essential`, if it can't be started again
//!
//!     let mut routes = RoutesBuilder::default();
//!     routes.add_service(tuned!(boot.limits, NoteServiceServer::new(NoteService { db: boot.db.clone() })));
//!     boot.run(routes.routes(), authenticate, listeners, stop).await
//! }
//! ```
//!
//! and `main` is: parse, [`Listeners::bind`](listeners::Listeners::bind), `serve` with [`shutdown::on_signal`].
//!
//! Around each method, outermost first: trace, catch panic, shed, deadline, authenticate, authorize; then the handler begins with
//! [`caller::accept`], which validates. Every error that any of them makes carries an `ErrorInfo` with a published reason.

mod answer;
mod around;
pub mod auth;
mod background;
pub mod boot;
pub mod caller;
pub mod config;
pub mod deadline;
mod health;
pub mod healthcheck;
pub mod listeners;
mod logs;
pub mod mask;
pub mod methods;
pub mod metrics;
mod panic;
pub mod pool;
pub mod rules;
pub mod secret;
mod server;
mod shed;
pub mod shutdown;
mod status_details;
pub mod telemetry;
pub mod tls;
mod trace;
pub mod trace_context;

pub use auth::{Authenticate, Call};
pub use boot::Boot;
pub use caller::{Caller, Incoming, accept, accept_stream, id};
pub use config::{Limits, ServiceConfig};
pub use listeners::Listeners;
pub use mask::Mask;
pub use secret::Secret;
