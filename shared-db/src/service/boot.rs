//! The life of a service: build, serve, drain, end.

use super::{
    around::Around,
    auth::Authenticate,
    config::{Limits, ServiceConfig},
    listeners::Listeners,
    methods::{self, Methods},
    pool, rules, telemetry, tls,
};
use crate::scope::{Db, Service};
use anyhow::Result;
use futures_util::future::BoxFuture;
use prost_reflect::DescriptorPool;
use std::{future::Future, sync::Arc};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};

type Task = Box<dyn Fn(CancellationToken) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A service under construction: everything that can fail for a reason that the operator can mend fails here, before it serves.
pub struct Boot {
    pub db: Db,
    pub limits: Limits,
    pub service: Service,
    config: ServiceConfig,
    descriptor: &'static [u8],
    methods: Arc<Methods>,
    background: Vec<(&'static str, Task)>,
}

impl Boot {
    /// Turns on logs, compiles the rules of the contract in `descriptor`, reads its methods, opens the pool.
    pub fn new(service: Service, config: ServiceConfig, descriptor: &'static [u8]) -> Result<Self> {
        tls::install_provider();
        telemetry::start(&config.telemetry, service.name())?;
        let descriptors: DescriptorPool = rules::register(descriptor)?;
        let methods = Arc::new(methods::table(&descriptors)?);
        let db = pool::connect(&config.database, service)?;
        let limits = config.limits;
        Ok(Self { db, limits, service, config, descriptor, methods, background: Vec::new() })
    }

    /// Adds work that goes on beside the calls, until its token is cancelled. One that fails is started again after a second.
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
        let _ = (&self.config, self.descriptor);
        let around = Around { inner: routes.prepare(), authenticate, methods: self.methods };
        let background = CancellationToken::new();
        for (_, task) in self.background {
            tokio::spawn(task(background.clone()));
        }
        Server::builder()
            .serve_with_incoming_shutdown(
                around,
                TcpListenerStream::new(listeners.grpc),
                stop.cancelled_owned(),
            )
            .await?;
        background.cancel();
        Ok(())
    }
}
