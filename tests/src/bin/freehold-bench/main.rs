//! What Freehold costs and how fast it is, beside what the database alone can do and what other libraries do with it: run by
//! `./dev bench`, in release.
//!
//! Four parts, each measured in turns with the others: `e2e` through the real services (`calls` is some of it), `engine` by itself in
//! this process, `floor` the necessary writes and nothing else, `peers` libraries that others use.

mod bare;
mod cases;
mod e2e;
mod engine;
mod figures;
mod floor;
mod load;
mod measure;
mod peers;
mod report;
mod server;
mod targets;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::net::SocketAddr;
use tokio::runtime::{Builder, Runtime};

#[derive(Parser)]
#[command(version, about = "Measures Freehold beside the floor and its peers")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the bare handler.
    Bare {
        #[arg(long)]
        listen: SocketAddr,
        /// A superuser's, so that no policy is in the way.
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
        /// What its executions call.
        #[arg(long)]
        remote: String,
    },
    /// Copies a migrated database that nobody is connected to: each measurement of the engine begins with a copy of it.
    Template {
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
    },
    /// Measures.
    Run(Box<measure::Measure>),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Bare { listen, database_url, remote } => {
            every_core()?.block_on(bare::serve(listen, &database_url, &remote))
        }
        Command::Template { database_url } => {
            one_core()?.block_on(engine::make_template(&database_url))
        }
        // Whoever calls shares the machine with whom it calls. On one thread none of its calls has to wake another.
        Command::Run(run) => one_core()?.block_on(run.run()),
    }
}

fn one_core() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// What services run on.
fn every_core() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}
