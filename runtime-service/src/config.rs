//! Settings of runtime-service. None of them says where web is: the runtime never calls it.

use crate::engine::EngineConfig;
use clap::{Args, Parser};
use shared_db::{
    secret_arg,
    service::{ServiceConfig, healthcheck},
};

secret_arg! {
    /// Key that web-service shows instead of a certificate, for development; without it only a certificate is accepted
    pub RuntimeKey = "runtime-key", "FREEHOLD_RUNTIME_KEY"
}

/// Writes what agents do, and does the work: commands come from web-service alone, over gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "runtime-service", version, after_help = healthcheck::HELP)]
pub struct Config {
    #[command(flatten)]
    pub service: ServiceConfig,
    #[command(flatten)]
    pub callers: CallersConfig,
    #[command(flatten)]
    pub engine: EngineConfig,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Callers")]
pub struct CallersConfig {
    /// URI name in the certificate of web-service, the only one that may call
    #[arg(long, env = "FREEHOLD_WEB_NAME", default_value = "spiffe://freehold/web-service")]
    pub web_name: String,
    #[command(flatten)]
    pub runtime_key: RuntimeKey,
}
