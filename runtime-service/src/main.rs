//! The binary: parse, bind, serve.

use clap::Parser;
use mimalloc::MiMalloc;
use runtime_service::{Config, executor::http::run_if_asked, serve};
use shared_db::{
    scope::Service,
    service::{Listeners, shutdown},
};
use std::process::ExitCode;

/// Calls allocate much that lives shortly; it is a tenth of their cost with the allocator of the C library.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = run_if_asked() {
        return code;
    }
    let config = Config::parse();
    shutdown::main(async |stop| {
        let listeners = Listeners::bind(&config.service, Service::Runtime).await?;
        serve(config, listeners, stop).await
    })
}
