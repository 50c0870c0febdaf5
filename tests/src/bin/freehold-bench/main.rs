//! What Freehold costs, beside a bare handler that does the same statement: run by `./dev bench`, in release.
//!
//! The bare handler is tonic and sqlx and nothing else: no authentication, no rules, no roles, no row-level security, no audit
//! trail, no durability of work. What it lacks is what the difference buys.

mod bare;
mod cases;
mod load;
mod report;

use anyhow::{Context, Result};
use cases::Cases;
use clap::{Parser, Subcommand};
use common_api::types::Agent;
use freehold_tests::{
    client::{Api, As, Caller},
    reach,
};
use std::{net::SocketAddr, time::Duration};

#[derive(Parser)]
#[command(version, about = "Measures Freehold beside a bare handler")]
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
    /// Measures both.
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
    /// Address of the bare handler.
    #[arg(long)]
    bare: String,
    /// Address of the small HTTP server that executions call.
    #[arg(long)]
    remote: String,
    /// Key of an organization.
    #[arg(long, env = "FREEHOLD_DEMO_KEY", hide_env_values = true)]
    key: String,
    /// The database, to say what it is.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Calls under way at a time.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// How often each case is measured; the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a case is measured in a round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Bare { listen, database_url, remote } => {
            bare::serve(listen, &database_url, &remote).await
        }
        Command::Run(run) => measure(&run).await,
    }
}

async fn measure(run: &Run) -> Result<()> {
    reach::healthy(&run.health).await?;
    let freehold = callers(&run.web, &run.key)?;
    let bare = callers(&run.bare, "unused")?;
    let cases = Cases::prepare(&freehold[0], &run.remote).await?;
    report::header(run).await?;

    let each = Duration::from_secs(run.seconds);
    let mut samples = report::Samples::default();
    for round in 0..=run.rounds {
        for case in cases::ALL {
            let mut sides = [("freehold", &freehold), ("bare", &bare)];
            // Whoever goes second finds the caches warm: they take turns.
            if round % 2 == 1 {
                sides.reverse();
            }
            for (side, callers) in sides {
                let sample = load::closed(run.in_flight, each, callers, |caller, n| {
                    cases.call(case, side, caller, n)
                })
                .await
                .with_context(|| format!("{case:?} of {side}"))?;
                // The first round warms up.
                if round > 0 {
                    samples.add(case, side, sample);
                }
            }
        }
        eprintln!("  round {round} of {} done", run.rounds);
    }
    samples.print();
    Ok(())
}

/// Several connections, so that none of them is the bottleneck.
fn callers(address: &str, key: &str) -> Result<Vec<Caller>> {
    (0..4).map(|_| Ok(Caller::new(reach::connect(address)?, Api::Web, As::key(key)))).collect()
}

/// What the calls are about.
struct Subjects {
    agent: Agent,
    organization_id: String,
    core_action_id: String,
}
