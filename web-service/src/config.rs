//! The settings of web-service. Each is a flag and a variable; `--help` documents them all.

use crate::{
    app::{agents::watch::WatchConfig, files::FilesConfig, purges::PurgeConfig},
    runtime::RuntimeConfig,
};
use clap::{Args, Parser};
use shared_db::{
    secret_arg,
    service::{ServiceConfig, config::duration, healthcheck},
};
use std::{path::PathBuf, time::Duration};

secret_arg! {
    /// Key of the platform itself: who holds it may do everything. At least 32 characters; absent: nobody may
    pub PlatformKey = "platform-key", "FREEHOLD_PLATFORM_KEY"
}

secret_arg! {
    /// Seals page tokens, the same for all replicas. Absent: a random one, so that a list can go on only where it began
    pub PageTokenKey = "page-token-key", "FREEHOLD_PAGE_TOKEN_KEY"
}

secret_arg! {
    /// Key by which web-service is known to runtime-service where there is no TLS between them. It is refused here
    pub RuntimeKey = "runtime-key", "FREEHOLD_RUNTIME_KEY"
}

secret_arg! {
    /// Signs the URLs of files, the same for all replicas; at least 32 characters. Absent: a random one, so that only the replica that
    /// made a URL serves it, and for as long as it lives
    pub FileUrlKey = "file-url-key", "FREEHOLD_FILE_URL_KEY"
}

secret_arg! {
    /// Access key of the bucket for files
    pub S3AccessKeyId = "files-s3-access-key-id", "FREEHOLD_FILES_S3_ACCESS_KEY_ID"
}

secret_arg! {
    /// Secret of the access key of the bucket for files
    pub S3SecretAccessKey = "files-s3-secret-access-key", "FREEHOLD_FILES_S3_SECRET_ACCESS_KEY"
}

/// Freehold's web-service: what people own, and the only way in for callers.
#[derive(Clone, Debug, Parser)]
#[command(name = "web-service", version, after_help = healthcheck::HELP)]
pub struct Config {
    #[command(flatten)]
    pub service: ServiceConfig,
    #[command(flatten)]
    pub auth: AuthConfig,
    #[command(flatten)]
    pub page_token_key: PageTokenKey,
    #[command(flatten)]
    pub runtime: RuntimeConfig,
    #[command(flatten)]
    pub watch: WatchConfig,
    #[command(flatten)]
    pub purge: PurgeConfig,
    #[command(flatten)]
    pub runtime_key: RuntimeKey,
    #[command(flatten)]
    pub files: FilesConfig,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Who may call")]
pub struct AuthConfig {
    #[command(flatten)]
    pub platform_key: PlatformKey,
    /// How long a key or token that was found good is not looked up again; 0s turns this off
    #[arg(long, env = "FREEHOLD_AUTH_CACHE_TTL", default_value = "5s", value_parser = duration)]
    pub auth_cache_ttl: Duration,
    /// `iss` of the tokens (JWT) that are accepted beside API keys; none are accepted when absent
    #[arg(long, env = "FREEHOLD_JWT_ISSUER", requires = "jwt_audience")]
    pub jwt_issuer: Option<String>,
    /// `aud` that a token must name
    #[arg(long, env = "FREEHOLD_JWT_AUDIENCE", requires = "jwt_issuer")]
    pub jwt_audience: Option<String>,
    /// Where the issuer publishes its keys (JWKS)
    #[arg(
        long,
        env = "FREEHOLD_JWT_JWKS_URL",
        requires = "jwt_issuer",
        conflicts_with = "jwt_jwks_file"
    )]
    pub jwt_jwks_url: Option<String>,
    /// File that holds the issuer's keys (JWKS)
    #[arg(long, env = "FREEHOLD_JWT_JWKS_FILE", requires = "jwt_issuer", value_name = "PATH")]
    pub jwt_jwks_file: Option<PathBuf>,
}
