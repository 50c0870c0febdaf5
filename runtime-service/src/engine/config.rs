//! Settings of the engine.

use clap::Args;
use shared_db::service::config::duration;
use std::{path::PathBuf, time::Duration};

/// How work is claimed, held and given up. Every setting is a flag and, as `FREEHOLD_…`, a variable of the environment.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Engine")]
pub struct EngineConfig {
    /// Executions that this process does at a time; 0 claims none
    #[arg(long, env = "FREEHOLD_WORKER_CONCURRENCY", default_value_t = 256)]
    pub worker_concurrency: u32,
    /// How long a lease lasts when it is not renewed. It is renewed at a third of this
    #[arg(long, env = "FREEHOLD_LEASE_TTL", default_value = "30s", value_parser = interval)]
    pub lease_ttl: Duration,
    /// How often the queue is looked at when nothing tells of new work
    #[arg(long, env = "FREEHOLD_POLL_INTERVAL", default_value = "200ms", value_parser = interval)]
    pub poll_interval: Duration,
    /// How often this process looks whether somebody asked its executions to stop
    #[arg(long, env = "FREEHOLD_CANCEL_INTERVAL", default_value = "500ms", value_parser = interval)]
    pub cancel_interval: Duration,
    /// How long a worker has to stop an execution that it was asked to; then it is stopped by force
    #[arg(long, env = "FREEHOLD_CANCEL_GRACE", default_value = "30s", value_parser = interval)]
    pub cancel_grace: Duration,
    /// How often expired leases and passed time limits are looked for
    #[arg(long, env = "FREEHOLD_SWEEP_INTERVAL", default_value = "500ms", value_parser = interval)]
    pub sweep_interval: Duration,
    /// Leases that an execution may lose with their workers before it fails
    #[arg(long, env = "FREEHOLD_LOST_LEASES_MAX", default_value_t = 5)]
    pub lost_leases_max: i32,
    /// Longest that calls which must not be repeated are waited for when the process stops
    #[arg(long, env = "FREEHOLD_DRAIN_LIMIT", default_value = "10s", value_parser = interval)]
    pub drain_limit: Duration,
    /// Networks that actions may call although they are not public, such as 10.1.0.0/16; comma-separated
    #[arg(long, env = "FREEHOLD_HTTP_ALLOW", value_delimiter = ',')]
    pub http_allow: Vec<String>,
    /// Program that runs response filters, which is this one when absent. It is started with `filter-runner` as its only argument
    #[arg(long, env = "FREEHOLD_FILTER_RUNNER")]
    pub filter_runner: Option<PathBuf>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            worker_concurrency: 256,
            lease_ttl: Duration::from_secs(30),
            poll_interval: Duration::from_millis(200),
            cancel_interval: Duration::from_millis(500),
            cancel_grace: Duration::from_secs(30),
            sweep_interval: Duration::from_millis(500),
            lost_leases_max: 5,
            drain_limit: Duration::from_secs(10),
            http_allow: Vec::new(),
            filter_runner: None,
        }
    }
}

/// Written as every other duration of the services; none of these may be nothing.
fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        interval => Ok(interval),
    }
}
