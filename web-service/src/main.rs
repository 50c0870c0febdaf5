//! The binary: parse, bind, serve.

use clap::Parser;
use shared_db::{
    scope::Service,
    service::{Listeners, healthcheck, shutdown},
};
use std::process::ExitCode;
use web_service::{Config, serve};

/// A call makes hundreds of small allocations. The runtime has the system's: its filters run in processes whose address space is bounded.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(code) = healthcheck::run_if_asked(Service::Web) {
        return code;
    }
    let config = Config::parse();
    shutdown::main(async |stop| {
        let listeners = Listeners::bind(&config.service, Service::Web).await?;
        serve(config, listeners, stop).await
    })
}
