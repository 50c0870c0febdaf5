//! The demo that `./dev up` runs: one agent's work from definition to result, seen as a caller of web-service sees it.
//!
//! It knows no more than any other caller: the address of web-service, a key of the organization, and the platform's key
//! for the one thing that only the platform may do.

mod objects;
mod show;
mod tries;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use common_api::types::ExecutionState;
use freehold_tests::{
    client::{Api, As, Caller},
    reach,
    remote::Remote,
};
use objects::Task;
use std::{net::SocketAddr, process::ExitCode};
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(version, about = "Shows Freehold at work")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a small HTTP server for the demo's actions to call.
    Remote {
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Defines an agent, has it executed, and shows what happens.
    Run(Run),
}

#[derive(clap::Args)]
struct Run {
    /// Address of web-service.
    #[arg(long)]
    web: String,
    /// Address of web-service's health.
    #[arg(long)]
    health: String,
    /// Address of the small HTTP server.
    #[arg(long)]
    remote: String,
    /// Have this address called, instead of the small server.
    #[arg(long)]
    url: Option<String>,
    /// Key of the demo's organization.
    #[arg(long, env = "FREEHOLD_DEMO_KEY", hide_env_values = true)]
    key: String,
    /// The platform's key.
    #[arg(long, env = "FREEHOLD_PLATFORM_KEY", hide_env_values = true)]
    platform_key: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Remote { listen } => remote(listen).await,
        Command::Run(run) => demo(&run).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn remote(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await.context("the remote could not listen")?;
    let remote = Remote::serve(listener);
    println!("the remote listens on {}", remote.address);
    std::future::pending().await
}

async fn demo(run: &Run) -> Result<()> {
    reach::healthy(&run.health).await?;
    let developer = Caller::new(reach::connect(&run.web)?, Api::Web, As::key(&run.key));
    let platform = developer.with_identity(As::key(&run.platform_key));

    let task = match &run.url {
        Some(url) => Task::fetch(url),
        None => Task::welcome(&run.remote),
    };
    let platform_id = objects::platform(&platform).await?;
    let agent = objects::agent(&developer, &platform_id, &task).await?;
    show::defined(&task, &agent);

    let execution = objects::start(&developer, &agent, &task).await?;
    show::events(&developer, &execution.id).await?;
    show::steps(&developer, &execution.id).await?;
    show::action_executions(&developer, &execution.id).await?;
    let execution = show::result(&developer, &execution.id).await?;
    if execution.state() != ExecutionState::Succeeded {
        bail!("the execution did not succeed");
    }
    tries::print(run, &agent, &execution);
    Ok(())
}
