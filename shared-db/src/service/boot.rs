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
use anyhow::{Context, Result, anyhow};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::service::{Routes, RoutesBuilder};

/// Calls wait this long for the first probe before they are told that the service is not ready.
const FIRST_PROBE_WAIT: Duration = Duration::from_secs(5);

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
        let task = Task::Kept(Box::new(move |stop| Box::pin(task(stop))));
        self.background.push((name, task));
    }

    /// The same for work that cannot be started again and that the service is nothing without: when it fails or ends before its
    /// token is cancelled, the service stops with an error, so that whoever watches over the process starts it anew.
    pub fn essential<F, T>(&mut self, name: &'static str, task: T)
    where
        F: Future<Output = Result<()>> + Send + 'static,
        T: FnOnce(CancellationToken) -> F + Send + Sync + 'static,
    {
        let task = Task::Essential(Box::new(move |stop| Box::pin(task(stop))));
        self.background.push((name, task));
    }

    /// Serves until `stop` is cancelled and all has ended, in time or not.
    pub async fn run<A: Authenticate>(
        self,
        routes: Routes,
        authenticate: A,
        listeners: Listeners,
        stop: CancellationToken,
    ) -> Result<()> {
        let life = self.config.life;
        let (health, drain) = (Health::new(&self.methods).await, CancellationToken::new());
        let address = listeners.grpc_address()?;
        let tls = tls::server(&self.config.tls)?;
        let routes = self.routes(routes, &health)?;
        let around = Around { inner: routes, authenticate, shared: self.shared(&health, &drain) };
        let serving =
            server::grpc(listeners.grpc, around, &self.limits, tls.clone(), drain.clone());

        let _health = spawn(server::health(listeners.health, health.server()));
        let _metrics = spawn(metrics::serve(listeners.metrics));
        let reload_interval = self.config.tls.tls_reload_interval;
        let _reloads = tls.map(|it| {
            let stop = stop.clone();
            spawn(async move { it.follow(reload_interval, stop).await })
        });
        let probes = health.clone().watch(self.db.clone(), life.probe_interval, stop.clone());
        let _probes = spawn(probes);
        tokio::select! {
            // Not ready in time: calls are told so until it is.
            _ = tokio::time::timeout(FIRST_PROBE_WAIT, health.tried.cancelled()) => {}
            () = stop.cancelled() => {}
        }

        let mut background = Background::start(self.background, &health.sound);
        let mut serving = spawn(serving);
        tracing::info!(service = self.service.name(), %address, "serving");
        let trouble = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut serving => Some(ended?.err().unwrap_or_else(|| anyhow!("the server ended by itself"))),
            error = background.failed() => Some(error),
        };

        tracing::info!("draining");
        health.stopping().await;
        if trouble.is_none() {
            tokio::time::sleep(life.drain_delay).await;
        }
        drain.cancel();
        let until = Instant::now() + life.shutdown_grace;
        tokio::join!(finish(serving, until), background.stop(until));
        drop(tokio::time::timeout(POOL_CLOSE_TIMEOUT, self.db.pool().close()).await);
        tracing::info!("stopped");
        telemetry::flush().await;
        trouble.map_or(Ok(()), Err)
    }

    /// The service's own routes, with health and reflection beside them.
    fn routes(&self, routes: Routes, health: &Health) -> Result<Routes> {
        let mut routes = RoutesBuilder::from(routes);
        routes.add_service(health.server());
        Ok(server::with_reflection(routes, self.descriptor)?.routes().prepare())
    }

    fn shared(&self, health: &Health, drain: &CancellationToken) -> Arc<Shared> {
        Arc::new(Shared {
            methods: self.methods.clone(),
            health: health.clone(),
            shed: Shed::new(self.limits),
            limits: self.limits,
            closing: drain.clone(),
        })
    }
}

/// Waits for the calls under way. A client that is silent or slow does not hold the stop up for longer than the grace.
async fn finish(serving: AbortOnDropHandle<Result<()>>, until: Instant) {
    if serving.is_finished() {
        return;
    }
    match tokio::time::timeout_at(until, serving).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => {
            tracing::error!(error = %format_args!("{error:#}"), "the server failed");
        }
        Ok(Err(error)) => tracing::error!(%error, "the server panicked"),
        Err(_) => {
            tracing::warn!("connections are still open at the end of the grace; they are cut");
        }
    }
}

fn spawn<F>(future: F) -> AbortOnDropHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(future))
}
