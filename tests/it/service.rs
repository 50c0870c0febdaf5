//! What stands around every handler, tried on a service that misbehaves when it is asked to.

mod deadlines;
mod errors;
mod life;
mod overload;
mod stand;
mod telemetry;
mod tls;
