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
        let offset = match service {
            Service::Web => 1,
            Service::Runtime => 2,
        };
        Ok(Self {
            grpc: bind(config.listen, 50050 + offset).await?,
            health: bind(config.health_listen, 50060 + offset).await?,
            metrics: bind(config.metrics_listen, 50070 + offset).await?,
        })
    }

    /// Binds three free ports on the loopback address, for tests.
    pub async fn any() -> Result<Self> {
        Ok(Self {
            grpc: bind(None, 0).await?,
            health: bind(None, 0).await?,
            metrics: bind(None, 0).await?,
        })
    }

    /// Where gRPC is listening.
    pub fn grpc_address(&self) -> Result<SocketAddr> {
        Ok(self.grpc.local_addr()?)
    }
}

async fn bind(address: Option<SocketAddr>, default_port: u16) -> Result<TcpListener> {
    let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, default_port)));
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
