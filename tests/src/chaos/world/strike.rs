//! Carries faults out. Each is over when its function returns.

mod database;

use super::World;
use crate::{
    chaos::{
        clocks::{Time, now},
        fault::{Fault, Victim},
        schedule::{Act, RUNTIMES, WEBS},
    },
    database::server::Stop,
    proxy::Wire,
    remote::Mood,
};
use anyhow::{Context, Result};
use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// How long a process that was asked to stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);

/// A runtime-service that ends or freezes is to leave something: so many calls are under way by then, each of them at one of the replicas.
const UNDER_WAY: usize = 5;
/// How long that is waited for.
const UNDER_WAY_MAX: Duration = Duration::from_secs(4);

impl World {
    /// Waits as long as the act says and does what it says.
    pub async fn strike(&mut self, act: Act) -> Result<()> {
        self.rest(act.calm).await;
        let takes_work = matches!(
            act.fault,
            Fault::Kill(Victim::Runtime(_))
                | Fault::Stop(Victim::Runtime(_))
                | Fault::Freeze(Victim::Runtime(_))
        );
        // One that follows another at once is to come at once.
        if takes_work && !act.calm.is_zero() {
            self.until_calls_are_under_way().await;
        }
        eprintln!("  {} {}", now().format("%H:%M:%S%.3f"), act.fault);
        let begun = now();
        match act.fault {
            Fault::Kill(victim) => {
                self.process(victim).restart();
                self.note(act.fault, begun);
                self.rest(act.lasts).await;
            }
            Fault::Storm(every) => self.storm(every, act.lasts).await,
            Fault::Freeze(victim) => {
                self.process(victim).stop();
                self.rest(act.lasts).await;
                self.process(victim).cont();
                self.note(act.fault, begun);
            }
            Fault::Stop(victim) => self.stop(victim, begun).await,
            Fault::Restart => self.restart(Stop::Fast, act, begun).await?,
            Fault::Crash => self.restart(Stop::Immediate, act, begun).await?,
            Fault::Terminate => self.terminate(act, begun).await?,
            Fault::Exhaust => self.exhaust(act, begun).await?,
            Fault::LateCommits => self.late_commits(act, begun).await?,
            Fault::OneWire(victim, wire) => {
                self.set_wire(victim, wire);
                self.rest(act.lasts).await;
                self.set_wire(victim, Wire::Whole);
                self.note(act.fault, begun);
            }
            Fault::AllWires(wire) => {
                self.set_wires(wire);
                self.rest(act.lasts).await;
                self.set_wires(Wire::Whole);
                self.note(act.fault, begun);
            }
            Fault::Remote(mood) => {
                self.remote.set_mood(mood);
                self.rest(act.lasts).await;
                self.remote.set_mood(Mood::Well);
                self.note(act.fault, begun);
            }
        }
        Ok(())
    }

    async fn until_calls_are_under_way(&mut self) {
        let give_up = Instant::now() + UNDER_WAY_MAX;
        while self.remote.under_way() < UNDER_WAY && Instant::now() < give_up {
            self.rest(Duration::from_millis(20)).await;
        }
    }

    async fn storm(&mut self, every: Duration, lasts: Duration) {
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            let victim = match self.random.random_range(0..WEBS + RUNTIMES) {
                number if number < WEBS => Victim::Web(number),
                number => Victim::Runtime(number - WEBS),
            };
            let begun = now();
            self.process(victim).restart();
            self.note(Fault::Kill(victim), begun);
            self.rest(every).await;
        }
    }

    /// SIGTERM, and a new start when it has ended. One that does not end is noted as an exit, since nobody can wait for it.
    async fn stop(&mut self, victim: Victim, begun: Time) {
        self.leaving = Some(victim);
        self.process(victim).term();
        let give_up = Instant::now() + STOP_TIME_MAX;
        while self.process(victim).is_running() && Instant::now() < give_up {
            self.rest(Duration::from_millis(20)).await;
        }
        let ended = self.process(victim).ended();
        if ended.is_none_or(|it| !it.success()) {
            let status = ended.map_or("did not end".to_owned(), |it| it.to_string());
            let (process, log) = (format!("{victim}, asked to stop,"), String::new());
            self.exits.push(super::Exit { process, at: now(), status, log });
        }
        self.process(victim).restart();
        self.leaving = None;
        self.note(Fault::Stop(victim), begun);
    }

    async fn restart(&mut self, how: Stop, act: Act, begun: Time) -> Result<()> {
        let server = self.server.as_ref().context("the server is not ours to stop")?;
        tokio::task::block_in_place(|| server.stop(how))?;
        self.rest(act.lasts).await;
        let server = self.server.as_ref().context("it was there before")?;
        tokio::task::block_in_place(|| server.start())?;
        self.note(act.fault, begun);
        Ok(())
    }
}
