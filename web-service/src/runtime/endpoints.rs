//! The addresses of runtime-service: every address that a name has gets its share of the calls, and names are looked up again
//! and again, so that replicas come and go without web noticing.

use super::RuntimeConfig;
use anyhow::{Context, Result};
use http::Uri;
use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{net::lookup_host, sync::mpsc};
use tokio_util::sync::CancellationToken;
use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, channel::Change,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Silence on a connection before it is asked for a sign of life, and how long that may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Changes of the addresses that wait to be taken up by the channel.
const CHANGES_MAX: usize = 256;

type Key = (Uri, SocketAddr);

/// Keeps a channel supplied with addresses.
#[derive(Clone)]
pub(super) struct Resolver {
    urls: Vec<Uri>,
    tls: Option<(ClientTlsConfig, Option<String>)>,
    interval: Duration,
    changes: mpsc::Sender<Change<Key, Endpoint>>,
}

/// A channel without addresses, and the one that will supply it.
pub(super) fn channel(config: &RuntimeConfig) -> Result<(Channel, Resolver)> {
    let (channel, changes) = Channel::balance_channel(CHANGES_MAX);
    let resolver = Resolver {
        urls: config.runtime_url.clone(),
        tls: tls(config)?,
        interval: config.runtime_resolve_interval,
        changes,
    };
    Ok((channel, resolver))
}

fn tls(config: &RuntimeConfig) -> Result<Option<(ClientTlsConfig, Option<String>)>> {
    if config.runtime_url.iter().all(|it| it.scheme_str() != Some("https")) {
        return Ok(None);
    }
    let read =
        |path: &std::path::PathBuf| std::fs::read(path).with_context(|| path.display().to_string());
    let ca = config.runtime_tls_ca.as_ref().context("--runtime-tls-ca is required for https")?;
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
    if let (Some(cert), Some(key)) = (&config.runtime_tls_cert, &config.runtime_tls_key) {
        tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(Some((tls, config.runtime_tls_name.clone())))
}

impl Resolver {
    /// Looks the addresses up until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<()> {
        let mut known = HashSet::new();
        let fixed = self.urls.iter().all(|url| ip(url).is_some());
        loop {
            let found = self.look_up(&known).await;
            for gone in known.difference(&found) {
                self.changes.send(Change::Remove(gone.clone())).await?;
            }
            for new in found.difference(&known) {
                let endpoint = self.endpoint(new)?;
                self.changes.send(Change::Insert(new.clone(), endpoint)).await?;
            }
            known = found;
            if fixed {
                stop.cancelled().await;
                return Ok(());
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// All addresses of all URLs. Those of a name that can't be looked up now stay as they are.
    async fn look_up(&self, known: &HashSet<Key>) -> HashSet<Key> {
        let mut found = HashSet::new();
        for url in &self.urls {
            let host = url.host().unwrap_or_default();
            let host = host.trim_start_matches('[').trim_end_matches(']');
            match lookup_host((host, port(url))).await {
                Ok(addresses) => found.extend(addresses.map(|it| (url.clone(), it))),
                Err(error) => {
                    tracing::warn!(%url, %error, "runtime-service cannot be looked up");
                    found.extend(known.iter().filter(|it| it.0 == *url).cloned());
                }
            }
        }
        found
    }

    fn endpoint(&self, (url, address): &Key) -> Result<Endpoint> {
        let scheme = url.scheme_str().unwrap_or("http");
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
            .origin(url.clone())
            .user_agent(concat!("freehold-web-service/", env!("CARGO_PKG_VERSION")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if let (Some((tls, name)), "https") = (&self.tls, scheme) {
            // The address comes from a look-up; the certificate must still be that of the name.
            let name = name.as_deref().or(url.host()).unwrap_or_default();
            endpoint = endpoint.tls_config(tls.clone().domain_name(name))?;
        }
        Ok(endpoint)
    }
}

fn ip(url: &Uri) -> Option<IpAddr> {
    url.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn port(url: &Uri) -> u16 {
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    url.port_u16().unwrap_or(default)
}
