//! Where runtime-service is, and how web is known to it.

use clap::Args;
use shared_db::service::config::duration;
use std::{path::PathBuf, time::Duration};

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "runtime-service")]
pub struct RuntimeConfig {
    /// Where runtime-service is: one URL, or several with commas. All addresses that a name has share the calls
    #[arg(
        long, env = "FREEHOLD_RUNTIME_URL", default_value = "http://127.0.0.1:50052", value_delimiter = ',',
        num_args = 1.., value_parser = http_url
    )]
    pub runtime_url: Vec<http::Uri>,
    /// Authorities that sign the certificate of runtime-service, PEM; for https URLs
    #[arg(long, env = "FREEHOLD_RUNTIME_TLS_CA")]
    pub runtime_tls_ca: Option<PathBuf>,
    /// Certificate chain that web-service shows to runtime-service, PEM
    #[arg(long, env = "FREEHOLD_RUNTIME_TLS_CERT", requires = "runtime_tls_key")]
    pub runtime_tls_cert: Option<PathBuf>,
    /// Private key of that certificate, PEM
    #[arg(long, env = "FREEHOLD_RUNTIME_TLS_KEY", requires = "runtime_tls_cert")]
    pub runtime_tls_key: Option<PathBuf>,
    /// DNS name in the certificate of runtime-service, when it is not the host of the URL
    #[arg(long, env = "FREEHOLD_RUNTIME_TLS_NAME")]
    pub runtime_tls_name: Option<String>,
    /// URI name that the certificate of runtime-service must have beside the DNS name, such as `spiffe://freehold/runtime-service`; it is
    /// not looked for when absent
    #[arg(long, env = "FREEHOLD_RUNTIME_NAME", requires = "runtime_tls_ca")]
    pub runtime_name: Option<String>,
    /// How often the addresses of runtime-service are looked up again
    #[arg(long, env = "FREEHOLD_RUNTIME_RESOLVE_INTERVAL", default_value = "5s", value_parser = duration)]
    pub runtime_resolve_interval: Duration,
    /// How often accepted commands that nobody has answered are looked for, to be sent again
    #[arg(long, env = "FREEHOLD_SENDER_INTERVAL", default_value = "1s", value_parser = duration)]
    pub sender_interval: Duration,
}

/// A URL with a scheme and a host.
fn http_url(text: &str) -> Result<http::Uri, String> {
    let url: http::Uri = text.trim().parse().map_err(|_| "is not a URL".to_owned())?;
    match (url.scheme_str(), url.host()) {
        (Some("http" | "https"), Some(_)) => Ok(url),
        _ => Err("write it as http://host:port or https://host:port".to_owned()),
    }
}
