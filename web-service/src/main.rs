//! The binary: parse, bind, serve.

use clap::Parser;
use shared_db::{
    scope::Service,
    service::{Listeners, shutdown},
};
use web_service::{Config, serve};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::parse();
    let listeners = Listeners::bind(&config.service, Service::Web).await?;
    serve(config, listeners, shutdown::on_signal()).await
}
