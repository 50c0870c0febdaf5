//! The work that is asked for while things go wrong: at an even rate, by callers that do not give up.

mod agents;
mod caller;
mod helper;
mod kind;
mod watcher;

pub use caller::{Asked, Refusal};
pub use kind::{CAP, Effect, Kind, StepShape, parent};
pub use watcher::Watched;

use super::world::World;
use crate::{
    client::{Api, As, Caller},
    doors::channel,
    org::Org,
};
use agents::Agents;
use caller::Callers;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes that goes on at all; what is not there by then counts as lost.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Load {
    /// Executions; the rate is what the services must keep up with, so it is below what they can do.
    pub per_second: f64,
    pub organizations: usize,
    /// Which shapes, and how often each beside the others.
    pub kinds: Vec<(Kind, u32)>,
    /// Of so many executions, one is watched to its end; the others are only asked for.
    pub watched_one_in: usize,
    /// So many times as long as else the calls take: more of them are under way without more work for the machine.
    pub slowness: u64,
    /// How long callers insist and wait, before they give up.
    pub patience: Duration,
}

impl Load {
    pub fn of(per_second: f64) -> Self {
        let kinds = Kind::ALL.iter().map(|it| (*it, it.weight())).collect();
        Self {
            per_second,
            organizations: 3,
            kinds,
            watched_one_in: 2,
            slowness: 1,
            patience: PATIENCE,
        }
    }
}

/// Load under way.
#[derive(Debug)]
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<Vec<Asked>>,
    orgs: Vec<Arc<Tenant>>,
}

/// An organization, its agents, and its ways to every web-service.
#[derive(Debug)]
struct Tenant {
    number: usize,
    agents: Agents,
    callers: Callers,
}

impl Running {
    /// Makes organizations and agents, and begins to ask.
    pub async fn start(load: &Load, seed: u64, world: &World) -> Self {
        let channels: Vec<_> = world.processes.webs.iter().map(|it| channel(it.grpc)).collect();
        let mut orgs = Vec::new();
        for number in 0..load.organizations {
            let org: Org = world.processes.organization().await;
            let agents = Agents::create(&org, &world.remote, load.slowness).await;
            let identity = As::key(&org.developer.key);
            let caller = |it: &tonic::transport::Channel| {
                Caller::new(it.clone(), Api::Web, identity.clone())
            };
            let callers = Callers::new(channels.iter().map(caller).collect(), load.patience);
            orgs.push(Arc::new(Tenant { number, agents, callers }));
        }
        let stop = CancellationToken::new();
        let task = tokio::spawn(ask(load.clone(), seed, orgs.clone(), stop.clone()));
        Self { stop, task, orgs }
    }

    /// Asks for no more, and waits until everybody has what they asked for.
    pub async fn end(self) -> (Vec<Asked>, Prober) {
        self.stop.cancel();
        (self.task.await.expect("callers do not panic"), Prober(self.orgs))
    }
}

async fn ask(load: Load, seed: u64, orgs: Vec<Arc<Tenant>>, stop: CancellationToken) -> Vec<Asked> {
    let mut random = StdRng::seed_from_u64(seed);
    let interval = Duration::from_secs_f64(1.0 / load.per_second);
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0_u32.. {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep_until(begun + interval * number) => {}
        }
        let tenant = orgs[random.random_range(0..orgs.len())].clone();
        let kind = kind::draw(&load.kinds, &mut random);
        let watched = random.random_ratio(1, u32::try_from(load.watched_one_in).unwrap_or(1));
        let run = format!("{}-{number}", tenant.number);
        let seed = random.random();
        callers.spawn(async move { caller::careful(&tenant, run, kind, watched, seed).await });
    }
    callers.join_all().await
}

/// Asks for as many executions at once as there are slots.
#[derive(Debug)]
pub struct Prober(Vec<Arc<Tenant>>);

impl Prober {
    pub async fn fill(&self, round: usize, count: usize) -> Vec<Asked> {
        let mut callers = JoinSet::new();
        for number in 0..count {
            let tenant = self.0[number % self.0.len()].clone();
            let run = format!("{}-probe-{round}-{number}", tenant.number);
            callers.spawn(async move { caller::careful(&tenant, run, Kind::Probe, true, 0).await });
        }
        callers.join_all().await
    }
}
