//! The engine by itself, in this process, as the peers' libraries are: no-op executions are put into the queue and done.
//!
//! A no-op execution is one step that computes a value. It is claimed under a lease, its step is checkpointed with its input and output,
//! its events are kept, and all of it stays in the tables afterwards. Each measurement has a database of its own, copied from one that is
//! migrated and empty.

mod bench;
mod drains;
pub(crate) mod fill;
mod flows;
mod history;
mod rest;
mod told;

pub(crate) use bench::make_template;
pub(crate) use told::Told;

use crate::{
    figures::{self, Figure},
    measure::On,
};
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use std::{env, process::Stdio, time::Duration};
use tokio::process::Command;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EngineArgs {
    /// What to measure of the engine.
    #[arg(long, value_delimiter = ',', default_values_t = Case::USUAL)]
    cases: Vec<Case>,
    /// Executions that the engine does at a time; the best number found, as peers have their best settings. A drain is measured by the
    /// service's default as well.
    #[arg(long, default_value_t = 2000)]
    concurrency: u32,
    /// At full size: a million in the tables, 100,000 queued, a minute under a snapshot, ten minutes of load, a flood of a million.
    #[arg(long)]
    pub(crate) long: bool,
    /// Executions that have finished before: 100,000, or 1,000,000 when long.
    #[arg(long)]
    finished: Option<usize>,
    /// Executions of another tenant that are queued: 20,000, or 100,000 when long.
    #[arg(long)]
    queued: Option<usize>,
    /// Executions that sleep: 100,000.
    #[arg(long, default_value_t = 100_000)]
    waiting: usize,
    /// Minutes of sustained load: 1, or 10 when long.
    #[arg(long)]
    minutes: Option<u64>,
    /// Seconds under a snapshot, and as many without: 20, or 60 when long.
    #[arg(long)]
    snapshot_seconds: Option<u64>,
    /// Seconds without work.
    #[arg(long, default_value_t = 10)]
    idle_seconds: u64,
}

/// The server that is measured, and the sizes of what is done on it.
pub(crate) struct Server<'a> {
    database_url: &'a str,
    runtime_url: &'a str,
    executions: usize,
    concurrency: u32,
    finished: usize,
    queued: usize,
    waiting: usize,
    sustained: Duration,
    snapshot: Duration,
    idle: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// Drain of a queue that is full.
    Drain,
    /// Transactions and WAL of an execution.
    Cost,
    /// Started on an empty database.
    Hot,
    /// Beside a long history, and a long queue.
    Flat,
    /// While a session holds a snapshot.
    Snapshot,
    /// Over minutes.
    Sustained,
    /// Without work.
    Idle,
    /// Executions that wait.
    Waiting,
}

impl Case {
    /// All of them, those first that are compared with what is measured beside them.
    const USUAL: [Self; 8] = [
        Self::Drain,
        Self::Cost,
        Self::Hot,
        Self::Flat,
        Self::Snapshot,
        Self::Idle,
        Self::Waiting,
        Self::Sustained,
    ];

    /// Those whose ratios are taken within themselves, over so long that they are measured in one round alone.
    fn is_long(self) -> bool {
        matches!(self, Self::Sustained | Self::Waiting | Self::Idle)
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |it| it.get_name()))
    }
}

impl EngineArgs {
    fn server<'a>(&self, on: &'a On) -> Server<'a> {
        let long = |usual, long| if self.long { long } else { usual };
        let seconds = |it: Option<u64>, otherwise| Duration::from_secs(it.unwrap_or(otherwise));
        Server {
            database_url: &on.database_url,
            runtime_url: &on.runtime_url,
            executions: on.executions,
            concurrency: self.concurrency,
            finished: self.finished.unwrap_or(long(100_000, 1_000_000)),
            queued: self.queued.unwrap_or(long(20_000, 100_000)),
            waiting: self.waiting,
            sustained: seconds(self.minutes.map(|it| it * 60), if self.long { 600 } else { 60 }),
            snapshot: seconds(self.snapshot_seconds, if self.long { 60 } else { 20 }),
            idle: Duration::from_secs(self.idle_seconds),
        }
    }

    /// The cases of a round. What is long is measured in the first alone.
    pub(crate) fn cases(&self, round: usize) -> impl Iterator<Item = Case> {
        self.cases.iter().copied().filter(move |it| round == 1 || !it.is_long())
    }

    /// In a process of its own: memory that other cases have used and given back would hide what this one takes.
    pub(crate) async fn measure_apart(&self, on: &On, case: Case) -> Result<Vec<Figure>> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["run", "engine", "--lines", "--rounds", "1", "--cases", &case.to_string()]);
        command.args(["--waiting", &self.waiting.to_string()]);
        command.args(["--concurrency", &self.concurrency.to_string()]);
        command.env("DATABASE_URL", &on.database_url);
        command.env("FREEHOLD_RUNTIME_DATABASE_URL", &on.runtime_url);
        let ran = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output();
        let ran = ran.await?;
        ensure!(ran.status.success(), "it ended with {}", ran.status);
        figures::read(ran.stdout)
    }

    pub(crate) async fn measure(&self, on: &On, case: Case) -> Result<Vec<Figure>> {
        eprintln!("    {case}");
        let server = self.server(on);
        let measured = match case {
            Case::Drain => drains::drain(&server).await,
            Case::Cost => drains::cost(&server).await,
            Case::Hot => drains::hot(&server).await,
            Case::Flat => drains::flat(&server).await,
            Case::Snapshot => flows::snapshot(&server).await,
            Case::Sustained => flows::sustained(&server).await,
            Case::Idle => rest::idle(&server).await,
            Case::Waiting => rest::waiting(&server).await,
        };
        measured.with_context(|| format!("the engine's case {case}"))
    }
}
