//! Through the real services, as a caller of web-service sees them.

mod flood;
mod latency;
mod starts;

use crate::{
    cases::{self, Cases},
    engine::Told,
    figures::Figure,
    load,
    measure::On,
    report::Samples,
    server,
};
use anyhow::{Context, Result};
use freehold_tests::{
    client::{Api, As, Caller},
    reach,
};
use shared_db::ids::OrganizationId;
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::time::Duration;

#[derive(clap::Args, Debug)]
pub(crate) struct Services {
    /// Address of web-service.
    #[arg(long)]
    web: Option<String>,
    /// Address of web-service's health.
    #[arg(long)]
    health: Option<String>,
    /// Address of the bare handler.
    #[arg(long)]
    bare: Option<String>,
    /// Address of the small HTTP server that executions call.
    #[arg(long)]
    remote: Option<String>,
    /// Key of an organization.
    #[arg(long, env = "FREEHOLD_DEMO_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Calls under way at a time.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Executions that one tenant floods the queue with: 300,000, or 1,000,000 when long.
    #[arg(long)]
    flood: Option<usize>,
}

#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) seconds: u64,
    pub(crate) latency_seconds: u64,
    pub(crate) long: bool,
}

/// The services, the bare handler beside them, and their database.
pub(crate) struct EndToEnd {
    addresses: Addresses,
    freehold: Vec<Caller>,
    bare: Vec<Caller>,
    cases: Cases,
    samples: Samples,
    in_flight: usize,
    flood: Option<usize>,
    owner: PgPool,
    database_url: String,
    runtime_url: String,
    org: OrganizationId,
    /// An agent of one step that computes a value.
    agent: String,
}

const THROUGH_WEB: Told =
    Told { setting: "through web", how: "gRPC to web-service, which commands runtime-service" };

impl EndToEnd {
    pub(crate) async fn prepare(services: &Services, on: &On) -> Result<Self> {
        let given = |it: &Option<String>, name: &str| {
            it.clone().with_context(|| format!("--{name} is missing"))
        };
        reach::healthy(&given(&services.health, "health")?).await?;
        let addresses = Addresses {
            web: given(&services.web, "web")?,
            bare: given(&services.bare, "bare")?,
            key: given(&services.key, "key")?,
        };
        let (freehold, bare) = addresses.connect()?;
        let cases = Cases::prepare(&freehold[0], &given(&services.remote, "remote")?).await?;
        let (agent, org) = starts::agent(&freehold[0]).await?;
        let owner = PgPoolOptions::new().max_connections(2).connect(&on.database_url).await?;
        Ok(Self {
            addresses,
            freehold,
            bare,
            cases,
            samples: Samples::default(),
            in_flight: services.in_flight,
            flood: services.flood,
            owner,
            database_url: on.database_url.clone(),
            runtime_url: on.runtime_url.clone(),
            org,
            agent,
        })
    }

    pub(crate) async fn round(&mut self, round: usize, sizes: Sizes) -> Result<Vec<Figure>> {
        let each = Duration::from_secs(sizes.seconds);
        self.calls(round, each).await?;
        let mut figures = self.starts(each).await?;
        eprintln!("    bulk starts");
        figures.push(starts::bulk(self, each).await?);
        eprintln!("    latency");
        server::rest(&self.database_url).await?;
        figures.extend(latency::measure(self, sizes.latency_seconds).await?);
        eprintln!("    flood");
        let size = self.flood.unwrap_or(if sizes.long { 1_000_000 } else { 300_000 });
        figures.extend(flood::measure(self, size).await?);
        Ok(figures)
    }

    /// How many executions can be started one by one: while the engine does them, and when they are not due yet.
    pub(crate) async fn starts(&mut self, each: Duration) -> Result<Vec<Figure>> {
        self.connect()?;
        eprintln!("    single starts");
        let mut figures = starts::measure(self, each).await?;
        figures.extend(starts::accepted(self, each).await?);
        Ok(figures)
    }

    fn connect(&mut self) -> Result<()> {
        (self.freehold, self.bare) = self.addresses.connect()?;
        Ok(())
    }

    /// What is compared with the bare handler.
    pub(crate) async fn calls(&mut self, round: usize, each: Duration) -> Result<()> {
        eprintln!("    beside the bare handler");
        // Connections of the round before may have been closed: nobody answered on them while other parts were measured.
        self.connect()?;
        if round == 1 {
            self.beside_bare(0, each).await?;
        }
        self.beside_bare(round, each).await
    }

    /// Reads, creates and executions beside a handler that does the same statement and nothing else. Round 0 warms up.
    async fn beside_bare(&mut self, round: usize, each: Duration) -> Result<()> {
        // As autovacuum does within a minute: a page is read by a plan that was made while there were few notes, else, and sorts them all.
        sqlx::raw_sql("analyze web.notes").execute(&self.owner).await?;
        for case in cases::ALL {
            let mut sides = [("freehold", &self.freehold), ("bare", &self.bare)];
            // Whoever goes second finds the caches warm: they take turns.
            if round % 2 == 1 {
                sides.reverse();
            }
            for (side, callers) in sides {
                let call = |caller, n| self.cases.call(case, side, caller, n);
                let sample = load::closed(self.in_flight, each, callers, call)
                    .await
                    .with_context(|| format!("{case:?} of {side}"))?;
                if round > 0 {
                    self.samples.add(case, side, sample);
                }
            }
        }
        Ok(())
    }

    /// Waits until an organization has nothing left to be done.
    async fn until_empty(&self, org: OrganizationId) -> Result<()> {
        let sql = "select exists (select from runtime.execution_queue where org_id = $1)";
        while sqlx::query_scalar(sql).bind(org.0).fetch_one(&self.owner).await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    pub(crate) fn print(&self) {
        if self.samples.is_empty() {
            return;
        }
        println!(
            "\n{} calls under way; the bare handler does the statement and nothing else.\n",
            self.in_flight
        );
        self.samples.print();
    }
}

struct Addresses {
    web: String,
    bare: String,
    key: String,
}

impl Addresses {
    /// Callers of web-service, and of the bare handler.
    fn connect(&self) -> Result<(Vec<Caller>, Vec<Caller>)> {
        Ok((callers(&self.web, &self.key)?, callers(&self.bare, "unused")?))
    }
}

/// Several connections, so that none of them is the bottleneck.
fn callers(address: &str, key: &str) -> Result<Vec<Caller>> {
    (0..4).map(|_| Ok(Caller::new(reach::connect(address)?, Api::Web, As::key(key)))).collect()
}
