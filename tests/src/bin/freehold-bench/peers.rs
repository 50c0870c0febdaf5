//! The peers: each in its own process, on a database of its own that is new in each round.

use crate::figures::{self, Figure};
use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// Each is a script of this name.
pub(crate) const PEERS: [&str; 3] = ["dbos", "pg-boss", "graphile-worker"];

/// A peer takes about a minute and a half; one that hangs must not hold everything up for ever.
const PEER_LIMIT: Duration = Duration::from_mins(10);

#[derive(clap::Args, Debug)]
pub(crate) struct PeersArgs {
    /// The node that runs the peers.
    #[arg(long)]
    node: Option<PathBuf>,
    /// The folder that has their scripts, and what these need.
    #[arg(long)]
    scripts: Option<PathBuf>,
    /// How long the latency is measured in a round.
    #[arg(long, default_value_t = 10)]
    pub(crate) latency_seconds: u64,
}

/// One of them, once. `seconds` is how long each kind of enqueuing is measured.
pub(crate) async fn round(
    args: &PeersArgs,
    database_url: &str,
    peer: &str,
    seconds: u64,
) -> Result<Vec<Figure>> {
    let node = args.node.as_ref().context("--node is missing")?;
    let scripts = args.scripts.as_ref().context("--scripts is missing")?;
    let mut owner = PgConnection::connect(database_url).await?;
    let database = format!("bench_{}", peer.replace('-', "_"));
    let drop = format!("drop database if exists {database} with (force)");
    for sql in [drop.clone(), format!("create database {database}")] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut owner).await?;
    }
    let mut url: reqwest::Url = database_url.parse()?;
    url.set_path(&database);
    let run = Command::new(node)
        .arg(scripts.join(format!("{peer}.mjs")))
        .env("DATABASE_URL", url.as_str())
        .env("PEERS_SECONDS", seconds.to_string())
        .env("PEERS_LATENCY_SECONDS", args.latency_seconds.to_string())
        .env("NODE_NO_WARNINGS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("node does not start")?
        .wait_with_output();
    let limit = PEER_LIMIT.as_secs();
    let ran = timeout(PEER_LIMIT, run).await.with_context(|| format!("no end in {limit} s"))?;
    let Output { status, stdout, .. } = ran?;
    sqlx::query(AssertSqlSafe(drop)).execute(&mut owner).await?;
    ensure!(status.success(), "it ended with {status}");
    figures::read(stdout)
}
