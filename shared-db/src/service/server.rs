//! The two gRPC servers: the service's own, and the plaintext one for health.

use super::{
    around::Around,
    auth::Authenticate,
    config::Limits,
    tls::{self, Reloading},
};
use crate::error::chain;
use anyhow::Result;
use rustls::ServerConfig;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::RoutesBuilder,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{pb::health_server::HealthServer, server::HealthService};

/// Streams of one connection at once. A proxy in front may carry all callers in one.
const CONNECTION_STREAMS_MAX: u32 = 1024;

/// The service's own server, until `drain` is cancelled and its connections are closed.
pub(crate) fn grpc<A: Authenticate>(
    listener: TcpListener,
    around: Around<A>,
    limits: &Limits,
    tls: Option<Arc<Reloading<ServerConfig>>>,
    drain: CancellationToken,
) -> impl Future<Output = Result<()>> + Send + use<A> {
    // Not max_connection_age_grace: it cuts without GOAWAY. The jitter keeps replicas from losing all connections at once.
    let age = limits.connection_age_max.mul_f64(rand::random_range(0.9..1.1));
    let server = Server::builder()
        .max_connection_age(age.max(Duration::from_secs(1)))
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout));
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(limits.keepalive_interval));
    async move {
        let stop = drain.cancelled_owned();
        match tls {
            None => server.serve_with_incoming_shutdown(around, incoming, stop).await?,
            Some(tls) => {
                let incoming = tls::handshaken(incoming, tls);
                server.serve_with_incoming_shutdown(around, incoming, stop).await?;
            }
        }
        Ok(())
    }
}

/// Health on a listener of its own: never shed, never encrypted, there until the very end.
pub(crate) async fn health(listener: TcpListener, health: HealthServer<HealthService>) {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    if let Err(error) = Server::builder().add_service(health).serve_with_incoming(incoming).await {
        tracing::error!(error = %chain(&error), "the health listener ended");
    }
}

/// Adds reflection, in both of its versions, since clients of either are about.
pub(crate) fn with_reflection(
    mut routes: RoutesBuilder,
    descriptor: &'static [u8],
) -> Result<RoutesBuilder> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptor)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(reflection().build_v1()?);
    routes.add_service(reflection().build_v1alpha()?);
    Ok(routes)
}
