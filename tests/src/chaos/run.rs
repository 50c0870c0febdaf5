//! One run, from the first process to the reckoning.

use super::{
    Form,
    checks::{self, overlapping},
    clocks::Clocks,
    history::{History, read_calls, read_tables},
    load::{Asked, Prober, Running},
    pulse::Pulse,
    schedule::RUNTIMES,
    world::World,
};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::time::Instant;

/// How long what was asked for may take when everything is well again.
const QUIET_WITHIN: Duration = Duration::from_mins(1);
/// How often it is tried to see every slot at work.
const PROBES_MAX: usize = 3;
/// After the last fault, before nothing more is asked for.
const LAST_CALM: Duration = Duration::from_secs(1);

/// What is known of a run that is over. The world is still there, and at rest.
#[derive(Debug)]
pub struct Outcome {
    pub world: World,
    pub history: History,
}

impl Outcome {
    /// What the checks have found, in words; empty when all is well.
    pub fn findings(&self) -> Vec<String> {
        let found = checks::findings(&self.history).into_iter();
        found.flat_map(|(name, it)| it.into_iter().map(move |it| format!("{name}: {it}"))).collect()
    }
}

/// Runs it all. An error is one of the harness; what the services do wrong is in the outcome.
pub async fn run(form: Form) -> Result<Outcome> {
    let clocks = Clocks::read();
    let mut world = World::start(&form).await?;
    for statement in &form.sabotage {
        sqlx::raw_sql(*statement).execute(&world.root).await.context(*statement)?;
    }
    let pulse = Pulse::start();
    let patience = QUIET_WITHIN.min(form.load.patience);
    let load = Running::start(&form.load, form.seed, &world).await;
    for act in &form.acts {
        world.strike(*act).await?;
    }
    world.rest(last_calm(&form)).await;
    world.heal().await;
    let (mut all, afterwards) = watched_over(&mut world, load.end()).await;
    quiet(&mut world, patience).await?;
    all.extend(probe(&mut world, &afterwards, form.bounds.slots * RUNTIMES, &clocks).await);
    quiet(&mut world, patience).await?;
    let mut root = world.root.acquire().await?;
    let tables = read_tables(&mut root).await?;
    drop(root);
    let history = History {
        bounds: form.bounds,
        asked: all,
        tables,
        calls: read_calls(&world.remote, &clocks),
        struck: world.struck.clone(),
        exits: world.exits.clone(),
        stalls: pulse.stalls(),
    };
    Ok(Outcome { world, history })
}

/// The world is looked after while something else is waited for.
async fn watched_over<T>(world: &mut World, other: impl Future<Output = T>) -> T {
    tokio::pin!(other);
    loop {
        tokio::select! {
            done = &mut other => return done,
            () = world.rest(Duration::from_millis(100)) => {}
        }
    }
}

/// Fills every slot there is. Again, if they were not all seen at work at a time: a busy machine may begin them one after the other.
async fn probe(world: &mut World, prober: &Prober, slots: usize, clocks: &Clocks) -> Vec<Asked> {
    let mut all = Vec::new();
    for round in 0..PROBES_MAX {
        let asked = watched_over(world, prober.fill(round, slots)).await;
        let runs: Vec<_> = asked.iter().map(|it| it.run.clone()).collect();
        all.extend(asked);
        let calls = read_calls(&world.remote, clocks);
        if slots <= overlapping(calls.iter().filter(|it| runs.contains(&it.run))) {
            break;
        }
    }
    all
}

/// Waits until every execution has ended, also those that nobody watches. Not for ever: the checks say what is left.
async fn quiet(world: &mut World, patience: Duration) -> Result<()> {
    let give_up = Instant::now() + patience;
    while Instant::now() < give_up {
        let left: i64 = sqlx::query_scalar(
            "select count(*) from runtime.agent_executions where finished_at is null",
        )
        .fetch_one(&world.root)
        .await?;
        if left == 0 {
            break;
        }
        world.rest(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Long enough to measure the flow after the last fault.
fn last_calm(form: &Form) -> Duration {
    let database = form.acts.last().is_some_and(|it| it.fault.is_of_the_database());
    if database {
        form.bounds.back_within + form.bounds.measured_for + LAST_CALM
    } else {
        LAST_CALM
    }
}
