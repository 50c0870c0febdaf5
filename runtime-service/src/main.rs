//! The binary: parse, bind, serve.

use clap::Parser;
use runtime_service::{Config, executor::run_if_asked, serve};
use shared_db::{
    scope::Service,
    service::{Listeners, healthcheck, shutdown},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = run_if_asked() {
        return code;
    }
    if let Some(code) = healthcheck::run_if_asked(Service::Runtime) {
        return code;
    }
    let config = Config::parse();
    shutdown::main(async |stop| {
        let listeners = Listeners::bind(&config.service, Service::Runtime).await?;
        serve(config, listeners, stop).await
    })
}
