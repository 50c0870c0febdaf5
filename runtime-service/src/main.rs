//! The binary: parse, bind, serve.

use clap::Parser;
use runtime_service::{Config, serve};
use shared_db::{
    scope::Service,
    service::{Listeners, shutdown},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let config = Config::parse();
    shutdown::main(async |stop| {
        let listeners = Listeners::bind(&config.service, Service::Runtime).await?;
        serve(config, listeners, stop).await
    })
}
