//! The settings that both services share. Each is a flag and a variable; `--help` documents them all.

use crate::secret_arg;
use clap::{Args, ValueEnum};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

secret_arg! {
    /// URL of the database, with the service's own role (`web_app` or `agent_runtime`).
    pub DatabaseUrl = "database-url", "FREEHOLD_DATABASE_URL"
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Listening")]
pub struct ServiceConfig {
    /// Address for gRPC [default: 127.0.0.1:50051 (web-service), 127.0.0.1:50052 (runtime-service)]
    #[arg(long, env = "FREEHOLD_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Address for grpc.health.v1, always in plaintext [default: ports 50061, 50062]
    #[arg(long, env = "FREEHOLD_HEALTH_LISTEN")]
    pub health_listen: Option<SocketAddr>,
    /// Address for Prometheus metrics over HTTP at /metrics [default: ports 50071, 50072]
    #[arg(long, env = "FREEHOLD_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,

    #[command(flatten)]
    pub tls: TlsConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub limits: Limits,
    #[command(flatten)]
    pub life: LifeConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS (plaintext when no certificate is set)")]
pub struct TlsConfig {
    /// Certificate chain of this service, PEM
    #[arg(long, env = "FREEHOLD_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, env = "FREEHOLD_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities that sign the certificates of callers, PEM; with it a caller needs a certificate
    #[arg(long, env = "FREEHOLD_TLS_CLIENT_CA", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// A caller may also come without a certificate; one that it shows is still verified
    #[arg(long, env = "FREEHOLD_TLS_CLIENT_OPTIONAL", requires = "tls_client_ca")]
    pub tls_client_optional: bool,
    /// How often the files of certificates, keys and authorities are looked at again, those for calling others among them. What has
    /// changed holds for new connections; open ones go on until --connection-age-max ends them
    #[arg(long, env = "FREEHOLD_TLS_RELOAD_INTERVAL", default_value = "30s", value_parser = positive)]
    pub tls_reload_interval: Duration,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    #[command(flatten)]
    pub url: DatabaseUrl,
    /// Connections at most; each request holds one at a time
    #[arg(long, env = "FREEHOLD_DATABASE_CONNECTIONS_MAX", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub database_connections_max: u32,
    /// Connections that are kept open when idle
    #[arg(long, env = "FREEHOLD_DATABASE_CONNECTIONS_MIN", default_value_t = 1)]
    pub database_connections_min: u32,
    /// How long a request waits for a connection before it is UNAVAILABLE
    #[arg(long, env = "FREEHOLD_DATABASE_ACQUIRE_TIMEOUT", default_value = "5s", value_parser = positive)]
    pub database_acquire_timeout: Duration,
    /// Prepared statements kept per connection. A transaction pooler in between must know them (`PgBouncer`: from 1.21, with
    /// `max_prepared_statements`)
    #[arg(long, env = "FREEHOLD_DATABASE_STATEMENT_CACHE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    pub database_statement_cache: u16,
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Bytes of one message, in and out
    #[arg(long, env = "FREEHOLD_MESSAGE_BYTES_MAX", default_value_t = 4 * 1024 * 1024)]
    pub message_bytes_max: usize,
    /// Calls under way at once; those beyond are `RESOURCE_EXHAUSTED`
    #[arg(long, env = "FREEHOLD_CALLS_MAX", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub calls_max: u32,
    /// Streams under way at once, counted apart from the other calls
    #[arg(long, env = "FREEHOLD_STREAMS_MAX", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub streams_max: u32,
    /// Deadline of a call that names none; streams go on
    #[arg(long, env = "FREEHOLD_DEADLINE_DEFAULT", default_value = "30s", value_parser = positive)]
    pub deadline_default: Duration,
    /// Deadlines of calls are cut to this; those of streams are not
    #[arg(long, env = "FREEHOLD_DEADLINE_MAX", default_value = "5m", value_parser = positive)]
    pub deadline_max: Duration,
    /// Silence of a caller in the middle of a stream that it sends before the call is given up
    #[arg(long, env = "FREEHOLD_STREAM_SILENCE_MAX", default_value = "30s", value_parser = positive)]
    pub stream_silence_max: Duration,
    /// Silence on a connection before it is asked for a sign of life
    #[arg(long, env = "FREEHOLD_KEEPALIVE_INTERVAL", default_value = "30s", value_parser = positive)]
    pub keepalive_interval: Duration,
    /// A connection that gives none for this long is closed
    #[arg(long, env = "FREEHOLD_KEEPALIVE_TIMEOUT", default_value = "10s", value_parser = positive)]
    pub keepalive_timeout: Duration,
    /// Connections are asked to begin anew after this, give or take a tenth, so that new replicas get their share
    #[arg(long, env = "FREEHOLD_CONNECTION_AGE_MAX", default_value = "30m", value_parser = positive)]
    pub connection_age_max: Duration,
}

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Life")]
pub struct LifeConfig {
    /// How often the database is asked whether the boundary holds; a failed probe repeats sooner
    #[arg(long, env = "FREEHOLD_PROBE_INTERVAL", default_value = "30s", value_parser = positive)]
    pub probe_interval: Duration,
    /// From `NOT_SERVING` to refusing connections, so that load balancers notice
    #[arg(long, env = "FREEHOLD_DRAIN_DELAY", default_value = "0s", value_parser = duration)]
    pub drain_delay: Duration,
    /// How long calls under way may take to finish after that
    #[arg(long, env = "FREEHOLD_SHUTDOWN_GRACE", default_value = "20s", value_parser = duration)]
    pub shutdown_grace: Duration,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logs and telemetry")]
pub struct TelemetryConfig {
    /// How logs are written to standard error
    #[arg(long, env = "FREEHOLD_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,shared_db=debug`
    #[arg(long, env = "FREEHOLD_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// OTLP/gRPC endpoint for traces and metrics, such as `http://127.0.0.1:4317`; nothing is sent when absent
    #[arg(long, env = "FREEHOLD_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Share of new traces that is recorded, 0 to 1; a caller's decision is followed
    #[arg(long, env = "FREEHOLD_TRACE_RATIO", default_value_t = 1.0)]
    pub trace_ratio: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Human,
    Json,
}

/// Reads `500ms`, `30s`, `5m`, `2h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().map_err(|_| "write it as 500ms, 30s, 5m or 2h".to_owned())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(u64::from(number) * 60)),
        "h" => Ok(Duration::from_secs(u64::from(number) * 3600)),
        _ => Err("name the unit: ms, s, m or h".to_owned()),
    }
}

/// The same for what cannot be nothing.
pub fn positive(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() { Err("it must be more than nothing".to_owned()) } else { Ok(duration) }
}

/// Sets what every server of the api crates has in common: message sizes and compression both ways.
#[macro_export]
macro_rules! tuned {
    ($limits:expr, $server:expr) => {
        $server
            .max_decoding_message_size($limits.message_bytes_max)
            .max_encoding_message_size($limits.message_bytes_max)
            .accept_compressed(::tonic::codec::CompressionEncoding::Gzip)
            .send_compressed(::tonic::codec::CompressionEncoding::Gzip)
    };
}
