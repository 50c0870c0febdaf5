//! The binary: parse, bind, serve.

use clap::Parser;
use shared_db::{
    scope::Service,
    service::{Listeners, shutdown},
};
use std::process::ExitCode;
use web_service::{Config, serve};

fn main() -> ExitCode {
    let config = Config::parse();
    shutdown::main(async |stop| {
        let listeners = Listeners::bind(&config.service, Service::Web).await?;
        serve(config, listeners, stop).await
    })
}
