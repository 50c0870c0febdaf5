//! The three listeners of a service, bound before anything else so that an address in use is known at once.

use super::config::ServiceConfig;
use crate::scope::Service;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

#[derive(Debug)]
pub struct Listeners {
    pub grpc: TcpListener,
    /// Health, in plaintext and never shed.
    pub health: TcpListener,
    pub metrics: TcpListener,
}

impl Listeners {
    /// Binds what the configuration names, or the service's default ports on the loopback address.
    pub async fn bind(config: &ServiceConfig, service: Service) -> Result<Self> {
        let at = |given: Option<SocketAddr>, first| given.unwrap_or(usual(service, first));
        Ok(Self {
            grpc: listen(at(config.listen, 50050)).await?,
            health: listen(health_address(config.health_listen, service)).await?,
            metrics: listen(at(config.metrics_listen, 50070)).await?,
        })
    }

    /// Binds three free ports on the loopback address, for tests.
    pub async fn any() -> Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (grpc, health, metrics) = (listen(any).await?, listen(any).await?, listen(any).await?);
        Ok(Self { grpc, health, metrics })
    }

    /// Where gRPC is listening.
    pub fn grpc_address(&self) -> Result<SocketAddr> {
        Ok(self.grpc.local_addr()?)
    }
}

/// Where a service listens for questions about its health.
pub(super) fn health_address(given: Option<SocketAddr>, service: Service) -> SocketAddr {
    given.unwrap_or(usual(service, 50060))
}

fn usual(service: Service, first: u16) -> SocketAddr {
    let offset = match service {
        Service::Web => 1,
        Service::Runtime => 2,
    };
    SocketAddr::from((Ipv4Addr::LOCALHOST, first + offset))
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
