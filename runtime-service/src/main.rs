//! The binary of runtime-service: parse, bind, serve.

use clap::Parser;
use runtime_service::{Config, serve};
use shared_db::{
    scope::Service,
    service::{Listeners, shutdown},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let listeners = Listeners::bind(&config.service, Service::Runtime).await?;
    serve(config, listeners, shutdown::on_signal()).await
}
