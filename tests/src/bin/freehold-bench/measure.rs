//! Rounds of what is to be measured, in turns, so that none of it always comes after the same neighbour's dirty pages.

use crate::{
    e2e::{self, EndToEnd, Services},
    engine::{Case, EngineArgs},
    every_core,
    figures::{Figure, Figures},
    floor,
    peers::{self, PeersArgs},
    report, server, targets,
};
use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use std::{path::PathBuf, time::Duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Through the services.
    E2e,
    /// Of that, what is compared with the bare handler, and nothing else.
    Calls,
    /// Of that, single starts, and nothing else.
    Starts,
    Engine,
    Floor,
    Peers,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Measure {
    #[arg(value_delimiter = ',', required = true)]
    parts: Vec<Part>,
    /// How often everything is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each kind of call is measured in a round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Where to write the figures as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Prints a line of JSON for each figure, and nothing else.
    #[arg(long)]
    lines: bool,
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    services: Services,
    #[command(flatten)]
    peers: PeersArgs,
}

/// What all of it is measured on.
#[derive(clap::Args, Debug)]
pub(crate) struct On {
    /// A superuser's, of the database that the services use.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: String,
    /// The same as the runtime's role.
    #[arg(long, env = "FREEHOLD_RUNTIME_DATABASE_URL", hide_env_values = true, default_value = "")]
    pub(crate) runtime_url: String,
    /// How many executions the engine and the floor put into the queue and do.
    #[arg(long, default_value_t = 60_000)]
    pub(crate) executions: usize,
}

impl Measure {
    pub(crate) async fn run(&self) -> Result<()> {
        let machine = report::machine(&self.on.database_url).await?;
        let rounds = self.rounds;
        let mut figures =
            Figures::new(format!("{machine} Medians of {rounds} rounds, taking turns."));
        if !self.lines {
            server::age(&self.on.database_url).await?;
        }
        let mut end_to_end = None;
        let mut turns = self.parts.clone();
        for round in 1..=rounds {
            for part in &turns {
                let name = part
                    .to_possible_value()
                    .map_or_else(String::new, |it| it.get_name().to_owned());
                eprintln!("  round {round} of {rounds}: {name}");
                let measured = match part {
                    Part::Floor => self.floor(&mut figures).await,
                    Part::Engine => self.engine(round, &mut figures).await,
                    Part::Peers => self.peers(round, &mut figures).await,
                    Part::E2e => self.e2e(&mut end_to_end, round, &mut figures).await,
                    Part::Calls => self.calls(&mut end_to_end, round).await,
                    Part::Starts => self.starts(&mut end_to_end, &mut figures).await,
                };
                measured.with_context(|| format!("measuring {name}"))?;
            }
            turns.rotate_left(1);
        }
        if self.lines {
            return figures.print_lines();
        }
        figures.print();
        if let Some(it) = &end_to_end {
            it.print();
        }
        targets::print(&figures);
        self.json.as_deref().map_or(Ok(()), |it| figures.write(it))
    }

    async fn floor(&self, figures: &mut Figures) -> Result<()> {
        let measured = floor::round(&self.on.database_url, self.on.executions).await?;
        figures.add_all(measured);
        Ok(())
    }

    async fn engine(&self, round: usize, figures: &mut Figures) -> Result<()> {
        for case in self.engine.cases(round) {
            let measured = if case == Case::Waiting && !self.lines {
                self.engine.measure_apart(&self.on, case).await
            } else {
                self.in_a_service(case)
            };
            figures.add_all(measured?);
        }
        Ok(())
    }

    /// On as many threads as a service has. Nothing else goes on meanwhile.
    fn in_a_service(&self, case: Case) -> Result<Vec<Figure>> {
        let measure = || every_core()?.block_on(self.engine.measure(&self.on, case));
        std::thread::scope(|scope| scope.spawn(measure).join())
            .map_err(|_| anyhow!("the engine's case {case} panicked"))?
    }

    async fn peers(&self, round: usize, figures: &mut Figures) -> Result<()> {
        let mut peers = peers::PEERS;
        peers.rotate_left(round % peers::PEERS.len());
        for peer in peers {
            eprintln!("    {peer}");
            let measured =
                peers::round(&self.peers, &self.on.database_url, peer, self.seconds).await;
            figures.add_all(measured.with_context(|| format!("measuring {peer}"))?);
        }
        Ok(())
    }

    async fn e2e(
        &self,
        kept: &mut Option<EndToEnd>,
        round: usize,
        figures: &mut Figures,
    ) -> Result<()> {
        let end_to_end = self.services(kept).await?;
        let sizes = e2e::Sizes {
            seconds: self.seconds,
            latency_seconds: self.peers.latency_seconds,
            long: self.engine.long,
        };
        figures.add_all(end_to_end.round(round, sizes).await?);
        Ok(())
    }

    async fn calls(&self, kept: &mut Option<EndToEnd>, round: usize) -> Result<()> {
        let each = Duration::from_secs(self.seconds);
        self.services(kept).await?.calls(round, each).await
    }

    async fn starts(&self, kept: &mut Option<EndToEnd>, figures: &mut Figures) -> Result<()> {
        let each = Duration::from_secs(self.seconds);
        figures.add_all(self.services(kept).await?.starts(each).await?);
        Ok(())
    }

    async fn services<'k>(&self, kept: &'k mut Option<EndToEnd>) -> Result<&'k mut EndToEnd> {
        Ok(match kept {
            Some(it) => it,
            None => kept.insert(EndToEnd::prepare(&self.services, &self.on).await?),
        })
    }
}
