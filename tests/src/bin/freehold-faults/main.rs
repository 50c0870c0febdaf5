//! The long form of the faults: run by `./dev faults`, on a durable database of its own.

use anyhow::{Result, ensure};
use clap::Parser;
use freehold_tests::chaos::{
    self, Bounds, Form, OwnServer,
    load::Load,
    report,
    schedule::{self, Pace},
};
use std::{process::ExitCode, time::Duration};

/// Kills, freezes and stops the real services and their database while they work, and says whether anything was lost.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Repeats the schedule and the load of another run.
    #[arg(long, env = chaos::SEED_VARIABLE)]
    seed: Option<u64>,
    /// How long things go wrong.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// How many executions are asked for in a second, children not counted: less than the services can do, or callers lose patience.
    #[arg(long, default_value_t = 10)]
    per_second: u32,
    /// Which services lose their lease when they do not renew it for so many milliseconds.
    #[arg(long, default_value_t = 3000)]
    lease_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = run(&Cli::parse()).await;
    done.unwrap_or_else(|error| {
        eprintln!("the faults could not be run: {error:#}");
        ExitCode::FAILURE
    })
}

async fn run(cli: &Cli) -> Result<ExitCode> {
    ensure!(
        0 < cli.minutes && 0 < cli.per_second,
        "--minutes and --per-second must be more than 0"
    );
    let seed = cli.seed.unwrap_or_else(rand::random);
    println!("seed {seed}: ./dev faults --seed {seed} repeats its schedule");
    let length = Duration::from_secs(cli.minutes * 60);
    let bounds = Bounds {
        lease: Duration::from_millis(cli.lease_ms),
        slots: 16,
        measured_for: Duration::from_secs(4),
        ..Bounds::default()
    };
    let calm = bounds.measured_for + Duration::from_secs(3);
    let recovery = bounds.back_within + bounds.measured_for;
    let pace = Pace { lease: bounds.lease, calm, recovery };
    let form = Form {
        seed,
        acts: schedule::long(seed, length, pace),
        load: Load::of(f64::from(cli.per_second)),
        bounds,
        own_server: Some(OwnServer::Given),
        skewed: true,
        sabotage: Vec::new(),
    };
    let outcome = chaos::run(form).await?;
    println!("\n{}", report::text(&outcome.history));
    if outcome.findings().is_empty() {
        println!("nothing was lost, done twice or left over");
        return Ok(ExitCode::SUCCESS);
    }
    println!("something is wrong; seed {seed}");
    Ok(ExitCode::FAILURE)
}
