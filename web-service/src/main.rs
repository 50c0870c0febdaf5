//! The binary: parse, bind, serve.

use clap::Parser;
use mimalloc::MiMalloc;
use shared_db::{
    scope::Service,
    service::{Listeners, shutdown},
};
use std::process::ExitCode;
use web_service::{Config, serve};

/// Calls allocate much that lives shortly; it is a tenth of their cost with the allocator of the C library.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let config = Config::parse();
    shutdown::main(async |stop| {
        let listeners = Listeners::bind(&config.service, Service::Web).await?;
        serve(config, listeners, stop).await
    })
}
