//! What faults happen to: replicas of both services, their wires, their database, and the remote that actions call.

mod strike;

use super::{
    Form, OwnServer,
    clocks::{Time, now},
    fault::{Fault, Struck, Victim},
    schedule::{RUNTIMES, WEBS},
};
use crate::{
    database::{CLUSTER_VARIABLE, TestDatabase, server::Server},
    process::{Environment, Layout, Process, Processes},
    proxy::Wire,
    remote::{Mood, Remote},
    settings::Settings,
};
use anyhow::{Context, Result};
use rand::{SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use std::{
    env,
    io::{self, Write},
    path::Path,
    time::Duration,
};
use tokio::time::Instant;

/// How often it is looked whether every process still runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How wrong the clocks of skewed processes are: of the last replica of each service, and of the one before it.
const SKEWS: [&str; 2] = ["+600s", "-600s"];
const FAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const LOG_LINES_KEPT: usize = 20;

#[derive(Debug)]
pub struct World {
    pub processes: Processes,
    pub remote: Remote,
    pub root: PgPool,
    pub struck: Vec<Struck>,
    pub exits: Vec<Exit>,
    /// The clocks of the last replicas of each service are wrong.
    pub skewed: bool,
    random: StdRng,
    /// The process that was asked to end.
    leaving: Option<Victim>,
    /// Last, so that everything else is gone when it is stopped.
    server: Option<Server>,
}

/// A process that ended although nobody had asked it to.
#[derive(Clone, Debug)]
pub struct Exit {
    pub process: String,
    pub at: Time,
    pub status: String,
    pub log: String,
}

impl World {
    pub async fn start(form: &Form) -> Result<Self> {
        let server = match form.own_server {
            None => None,
            Some(kind) => Some(own_server(kind).await?),
        };
        let database = match &server {
            Some(server) => TestDatabase::on(&server.superuser_url).await,
            None => TestDatabase::create().await,
        };
        let last = if form.skewed { skews() } else { Vec::new() };
        let skewed = !last.is_empty();
        let layout =
            Layout { webs: WEBS, runtimes: RUNTIMES, wired: true, last, decoys: Vec::new() };
        let root = database.superuser();
        Ok(Self {
            processes: Processes::start_on(database, &layout, &settings(form)).await,
            remote: Remote::start().await,
            root,
            struck: Vec::new(),
            exits: Vec::new(),
            skewed,
            random: StdRng::seed_from_u64(form.seed),
            leaving: None,
            server,
        })
    }

    /// Lets time pass, and looks after the processes meanwhile.
    pub async fn rest(&mut self, duration: Duration) {
        let until = Instant::now() + duration;
        loop {
            self.look_after();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK_INTERVAL)).await;
        }
    }

    /// Notes processes that have ended by themselves, and starts them again.
    fn look_after(&mut self) {
        let webs = (0..self.processes.webs.len()).map(Victim::Web);
        let runtimes = (0..self.processes.runtimes.len()).map(Victim::Runtime);
        for victim in webs.chain(runtimes).collect::<Vec<_>>() {
            if self.leaving == Some(victim) {
                continue;
            }
            let process = self.process(victim);
            let Some(status) = process.ended() else { continue };
            let log = process.log();
            let lines: Vec<_> = log.lines().collect();
            let log = lines[lines.len().saturating_sub(LOG_LINES_KEPT)..].join("\n");
            process.restart();
            let (process, status) = (victim.to_string(), status.to_string());
            self.exits.push(Exit { process, at: now(), status, log });
        }
    }

    fn process(&mut self, victim: Victim) -> &mut Process {
        match victim {
            Victim::Web(number) => &mut self.processes.webs[number],
            Victim::Runtime(number) => &mut self.processes.runtimes[number],
        }
    }

    fn set_wire(&self, victim: Victim, wire: Wire) {
        let number = match victim {
            Victim::Web(number) => number,
            Victim::Runtime(number) => self.processes.webs.len() + number,
        };
        self.processes.wires[number].set(wire);
    }

    fn set_wires(&self, wire: Wire) {
        self.processes.wires.iter().for_each(|it| it.set(wire));
    }

    /// Ends whatever is wrong, and waits until everybody serves.
    pub async fn heal(&mut self) {
        self.set_wires(Wire::Whole);
        self.remote.set_mood(Mood::Well);
        for process in self.processes.webs.iter_mut().chain(&mut self.processes.runtimes) {
            process.until_serving().await;
        }
    }

    fn note(&mut self, fault: Fault, begun: Time) {
        self.struck.push(Struck { fault, begun, ended: now() });
    }
}

async fn own_server(kind: OwnServer) -> Result<Server> {
    let url = env::var(CLUSTER_VARIABLE).context(CLUSTER_VARIABLE)?;
    match kind {
        OwnServer::Given => Server::behind(&url).await,
        OwnServer::Made => {
            // Few connections, so that it does not take many to exhaust them.
            let settings = ["fsync = off", "max_connections = 60", "shared_buffers = 64MB"];
            Server::beside(&url, &settings).await
        }
    }
}

/// Leases short enough to be waited for.
fn settings(form: &Form) -> Settings {
    let lease = format!("{}ms", form.bounds.lease.as_millis());
    let slots = form.bounds.slots.to_string();
    let runtime = [
        ("LEASE_TTL", lease.as_str()),
        ("SWEEP_INTERVAL", "100ms"),
        ("WORKER_CONCURRENCY", &slots),
        // The killer here is more diligent than any fate.
        ("LOST_LEASES_MAX", "1000"),
        ("HTTP_ALLOW", "127.0.0.0/8"),
    ];
    Settings {
        runtime: runtime.map(|(name, value)| (name, value.to_owned())).to_vec(),
        ..Settings::default()
    }
}

/// The environments of processes whose clocks are wrong; none when this machine has no libfaketime, which is said so that it is seen
/// among the output of tests that pass.
fn skews() -> Vec<Environment> {
    let Some(library) = FAKETIME.iter().find(|it| Path::new(it).exists()) else {
        let told = "\nNOT TESTED: replicas whose clocks differ, as libfaketime is missing (apt-get install faketime)";
        // Nobody hears of it if even that can not be written.
        let _ = writeln!(io::stderr(), "{told}");
        return Vec::new();
    };
    let environment = |skew: &str| {
        let pairs =
            [("LD_PRELOAD", *library), ("FAKETIME", skew), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    SKEWS.map(environment).to_vec()
}
