//! What stands around every handler, tried on a service that misbehaves when it is asked to.

mod collector;
mod deadlines;
mod errors;
mod healthchecks;
mod life;
mod overload;
mod pool;
mod processes;
mod stand;
mod streams;
mod telemetry;
mod tls;
mod wake;
