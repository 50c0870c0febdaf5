//! Whether the service may serve: not before the boundary was probed, not with a finding, and not while it stops.
//!
//! A finding (a privilege too many, a wrong schema version) means that calls are refused. While the database is merely away they go
//! through and fail by themselves: what needs no database still works, and nothing waits for the next probe.
//!
//! Readiness is asked for by the empty name. Whether the process is alive is another question ([`LIVENESS`]): to end it would bring no
//! database back.

use super::{methods::Methods, metrics};
use crate::{
    error::{Error, Reason, Result, chain},
    scope::Db,
};
use opentelemetry::metrics::Gauge;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};

/// A probe that could not be made, or that found something, is repeated this soon.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The name that is `SERVING` for as long as the process answers at all.
const LIVENESS: &str = "liveness";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The boundary has not been probed yet.
    Starting,
    Serving,
    /// The boundary held when the database was last there.
    DatabaseAway,
    /// The boundary does not hold.
    Unsound,
    Stopping,
}

#[derive(Clone)]
pub(crate) struct Health {
    state: watch::Sender<State>,
    reporter: HealthReporter,
    /// Full names of the services, and the empty name for all of them.
    names: Arc<[String]>,
    findings: Gauge<u64>,
    /// Cancelled when the first probe is over, whatever it said.
    pub(crate) tried: CancellationToken,
    /// Cancelled when a probe found the boundary sound for the first time.
    pub(crate) sound: CancellationToken,
}

impl Health {
    pub(crate) async fn new(methods: &Methods) -> Self {
        let names = methods.services().iter().cloned().chain([String::new()]).collect();
        let health = Self {
            state: watch::Sender::new(State::Starting),
            reporter: HealthReporter::new(),
            names,
            findings: metrics::meter()
                .u64_gauge("freehold.boundary.findings")
                .with_description("Ways around the boundary that the last probe found")
                .build(),
            tried: CancellationToken::new(),
            sound: CancellationToken::new(),
        };
        health.report(ServingStatus::NotServing).await;
        health.reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
        health
    }

    /// The service `grpc.health.v1.Health`.
    pub(crate) fn server(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// Refuses calls that must not be served now.
    pub(crate) fn admit(&self) -> Result<()> {
        let problem = match *self.state.borrow() {
            // While it stops, what still comes in on open connections is answered.
            State::Serving | State::DatabaseAway | State::Stopping => return Ok(()),
            State::Starting => {
                "the service is not ready: the boundary of its database was not probed yet"
            }
            State::Unsound => {
                "the service is not serving: the boundary of its database does not hold; its log says where"
            }
        };
        Err(Error::Unavailable { reason: Reason::NotServing, problem: problem.into() })
    }

    /// From now on `NOT_SERVING`, whatever a probe says.
    pub(crate) async fn stopping(&self) {
        self.enter(State::Stopping).await;
    }

    /// Probes the database every `interval`, and sooner while something is wrong.
    pub(crate) async fn watch(self, db: Db, interval: Duration, stop: CancellationToken) {
        let mut away = false;
        loop {
            let probed = tokio::select! {
                it = crate::probe::check(&db) => it,
                () = stop.cancelled() => return,
            };
            if let Err(error) = &probed
                && !away
            {
                tracing::warn!(
                    error = %chain(error),
                    "the boundary could not be probed"
                );
            }
            away = probed.is_err();
            let findings = probed.ok().map(|it| it.iter().map(ToString::to_string).collect());
            let next = self.judge(findings);
            self.enter(next).await;
            self.tried.cancel();
            if next == State::Serving {
                self.sound.cancel();
            }
            let pause =
                if next == State::Serving { interval } else { RETRY_INTERVAL.min(interval) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// What a probe means; `None`: it could not be made. Findings are logged once, not with every probe that sees them again.
    fn judge(&self, findings: Option<Vec<String>>) -> State {
        let before = *self.state.borrow();
        let Some(findings) = findings else {
            return match before {
                State::Serving | State::DatabaseAway => State::DatabaseAway,
                State::Starting | State::Unsound | State::Stopping => before,
            };
        };
        self.findings.record(findings.len() as u64, &[]);
        if findings.is_empty() {
            return State::Serving;
        }
        if before != State::Unsound {
            for finding in findings {
                tracing::error!(finding, "the boundary does not hold");
            }
        }
        State::Unsound
    }

    async fn enter(&self, next: State) {
        let changed = self.state.send_if_modified(|state| {
            let changed = *state != State::Stopping && *state != next;
            if changed {
                *state = next;
            }
            changed
        });
        if !changed {
            return;
        }
        tracing::info!(state = ?next, "health");
        let serving = next == State::Serving;
        self.report(if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
    }

    async fn report(&self, status: ServingStatus) {
        for name in self.names.iter() {
            self.reporter.set_service_status(name, status).await;
        }
    }
}
