//! The life of a service: build, serve, drain, end.

use super::{
    around::{Around, Shared},
    auth::Authenticate,
    background::{Background, Task},
    config::{Limits, ServiceConfig},
    health::Health,
    listeners::Listeners,
    methods::{self, Methods},
    metrics, pool, rules, server,
    shed::Shed,
    telemetry, tls,
};
use crate::scope::{Db, Service};
use anyhow::{Context, Result};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::service::{Routes, RoutesBuilder};

/// Calls wait this long for the first probe before they are told that the service is not ready.
const FIRST_PROBE_WAIT: Duration = Duration::from_secs(5);

/// Background work gets at least this long to end, also when the calls have used up the grace.
const BACKGROUND_GRACE_MIN: Duration = Duration::from_secs(5);

/// Connections of the pool are closed politely for this long.
const POOL_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A service under construction: what can fail for a reason that an operator can mend fails here, before anything is served.
pub struct Boot {
    pub db: Db,
    pub limits: Limits,
    pub service: Service,
    config: ServiceConfig,
    descriptor: &'static [u8],
    methods: Methods,
    background: Vec<(&'static str, Task)>,
}

impl Boot {
    /// Turns on logs, compiles the rules of the contract in `descriptor`, reads its methods, opens the pool.
    pub fn new(service: Service, config: ServiceConfig, descriptor: &'static [u8]) -> Result<Self> {
        tls::install_provider();
        telemetry::start(&config.telemetry, service.name())?;
        let descriptors = rules::register(descriptor).context("the contract")?;
        let methods = methods::table(&descriptors).context("the contract")?;
        let db = pool::connect(&config.database, service)?;
        metrics::watch(db.pool().clone());
        let limits = config.limits;
        Ok(Self { db, limits, service, config, descriptor, methods, background: Vec::new() })
    }

    /// Adds work that goes on beside the calls, until its token is cancelled. When it fails or ends before, it is started again.
    pub fn background<F, T>(&mut self, name: &'static str, task: T)
    where
        F: Future<Output = Result<()>> + Send + 'static,
        T: Fn(CancellationToken) -> F + Send + Sync + 'static,
    {
        self.background.push((name, Box::new(move |stop| Box::pin(task(stop)))));
    }

    /// Serves until `stop` is cancelled and all has ended, in time or not.
    pub async fn run<A: Authenticate>(
        self,
        routes: Routes,
        authenticate: A,
        listeners: Listeners,
        stop: CancellationToken,
    ) -> Result<()> {
        let Self { db, limits, service, config, descriptor, methods, background } = self;
        let life = config.life;
        let health = Health::new(&methods).await;
        let drain = CancellationToken::new();
        let tls = tls::server(&config.tls)?;

        let mut routes = RoutesBuilder::from(routes);
        routes.add_service(health.server());
        let routes = server::with_reflection(routes, descriptor)?.routes().prepare();
        let (shed, closing) = (Shed::new(limits), drain.clone());
        let shared = Shared { methods, health: health.clone(), shed, limits, closing };
        let around = Around { inner: routes, authenticate, shared: Arc::new(shared) };

        let address = listeners.grpc_address()?;
        let _health = spawn(server::health(listeners.health, health.server()));
        let _metrics = spawn(metrics::serve(listeners.metrics));
        let probes = spawn(health.clone().watch(db.clone(), life.probe_interval, stop.clone()));
        let ready = tokio::time::timeout(FIRST_PROBE_WAIT, health.tried());
        tokio::select! {
            // Not ready in time: calls are told so until it is.
            _ = ready => {}
            () = stop.cancelled() => {}
        }

        let background = Background::start(background);
        let mut serving = spawn(server::grpc(listeners.grpc, around, &limits, tls, drain.clone())?);
        tracing::info!(service = service.name(), %address, "serving");
        let failed = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut serving => Some(ended),
        };

        tracing::info!("draining");
        health.stopping().await;
        if failed.is_none() {
            tokio::time::sleep(life.drain_delay).await;
        }
        drain.cancel();
        let until = Instant::now() + life.shutdown_grace;
        let result = match failed {
            Some(ended) => ended?.context("the server ended by itself"),
            None => finish(serving, until).await,
        };
        background.stop(until.max(Instant::now() + BACKGROUND_GRACE_MIN)).await;
        drop(probes);
        drop(tokio::time::timeout(POOL_CLOSE_TIMEOUT, db.pool().close()).await);
        tracing::info!("stopped");
        telemetry::flush().await;
        result
    }
}

/// Waits for the calls under way. A client that is silent or slow does not hold the stop up for longer than the grace.
async fn finish(serving: AbortOnDropHandle<Result<()>>, until: Instant) -> Result<()> {
    if let Ok(ended) = tokio::time::timeout_at(until, serving).await {
        return ended?;
    }
    tracing::warn!("connections were still open at the end of the grace; they are cut");
    Ok(())
}

fn spawn<F>(future: F) -> AbortOnDropHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let handle: JoinHandle<F::Output> = tokio::spawn(future);
    AbortOnDropHandle::new(handle)
}
