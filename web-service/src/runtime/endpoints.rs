//! The addresses of runtime-service: names are looked up again and again, and each address that one has is kept connected, so that
//! replicas come and go without web noticing.

use super::{
    RuntimeConfig,
    connection::{Connection, Key, Tls},
    replicas::{Awaited, Replicas},
};
use anyhow::{Context, Result, ensure};
use futures_util::future::BoxFuture;
use http::Uri;
use shared_db::service::tls::{self, File, Files};
use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::lookup_host, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Before an address that could not be connected to is tried again: it doubles, and the half of it is drawn. A call that finds nobody
/// ends it early.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that has lived for so long is made again at once when it ends.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// All addresses of a name. Those of tests say what tests want.
type LookUp =
    Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Keeps [`Replicas`] supplied. The connections end with the last clone.
#[derive(Clone)]
pub(super) struct Resolver {
    urls: Vec<Uri>,
    tls: Option<Tls>,
    interval: Duration,
    look_up: LookUp,
    replicas: Replicas,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    keepers: HashMap<Key, AbortOnDropHandle<()>>,
    /// Until the first look-up: calls wait for it.
    first: Option<Awaited>,
}

impl Resolver {
    pub(super) fn new(config: &RuntimeConfig) -> Result<Self> {
        let look_up = |host: String, port| -> BoxFuture<'static, _> {
            Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
        };
        let (urls, interval) = (config.runtime_url.clone(), config.runtime_resolve_interval);
        Ok(Self::with(urls, tls(config)?, interval, Arc::new(look_up)))
    }

    fn with(urls: Vec<Uri>, tls: Option<Tls>, interval: Duration, look_up: LookUp) -> Self {
        let replicas = Replicas::new();
        let table = Table { keepers: HashMap::new(), first: Some(replicas.awaited()) };
        Self { urls, tls, interval, look_up, replicas, table: Arc::new(Mutex::new(table)) }
    }

    pub(super) fn replicas(&self) -> Replicas {
        self.replicas.clone()
    }

    /// Looks the addresses up until `stop`. What is connected then stays so.
    pub(super) async fn run(self, stop: CancellationToken) -> Result<()> {
        let fixed = self.urls.iter().all(|url| ip(url).is_some());
        loop {
            let found = self.look_up().await;
            self.settle(found);
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

    /// Reads the certificates again when they change, until `stop`.
    pub(super) async fn reload(self, interval: Duration, stop: CancellationToken) -> Result<()> {
        match self.tls {
            Some(tls) => tls.config.follow(interval, stop).await,
            None => stop.cancelled().await,
        }
        Ok(())
    }

    /// All addresses of all URLs. Those of a name that can't be looked up now stay as they are.
    async fn look_up(&self) -> HashSet<Key> {
        let mut found = HashSet::new();
        for url in &self.urls {
            match (self.look_up)(host(url).to_owned(), port(url)).await {
                Ok(addresses) => found.extend(addresses.into_iter().map(|it| (url.clone(), it))),
                Err(error) => {
                    tracing::warn!(%url, %error, "runtime-service cannot be looked up");
                    found.extend(self.table().keepers.keys().filter(|it| it.0 == *url).cloned());
                }
            }
        }
        found
    }

    /// Connects to what is new. What is gone is called no more; calls under way there are finished.
    fn settle(&self, found: HashSet<Key>) {
        let mut table = self.table();
        table.keepers.retain(|it, _| found.contains(it));
        for key in found {
            let (replicas, tls) = (self.replicas.clone(), self.tls.clone());
            table.keepers.entry(key.clone()).or_insert_with(|| {
                let awaited = replicas.awaited();
                AbortOnDropHandle::new(tokio::spawn(keep(key, tls, replicas, awaited)))
            });
        }
        table.first = None;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps one address connected, for as long as it is not dropped.
async fn keep(key: Key, tls: Option<Tls>, replicas: Replicas, awaited: Awaited) {
    let address = key.1;
    let (mut awaited, mut pause, mut told) = (Some(awaited), PAUSE_MIN, false);
    loop {
        match Connection::open(&key, tls.as_ref()).await {
            Ok((connection, ended)) => {
                let (since, entered) = (Instant::now(), replicas.enter(connection));
                (awaited, told) = (None, false);
                drop(ended.await);
                if SETTLED_AFTER < since.elapsed() {
                    // Before it leaves, so that no call thinks that nobody is there.
                    awaited = Some(replicas.awaited());
                    pause = PAUSE_MIN;
                    drop(entered);
                    continue;
                }
            }
            Err(error) if told => {
                tracing::debug!(%address, error = %format_args!("{error:#}"), "still away");
            }
            Err(error) => {
                told = true;
                let error = format_args!("{error:#}");
                tracing::warn!(%address, %error, "a replica of runtime-service cannot be called");
            }
        }
        drop(awaited.take());
        let missed = async {
            tokio::time::sleep(PAUSE_MIN).await;
            replicas.missed().await;
        };
        tokio::select! {
            () = tokio::time::sleep(rand::random_range(pause / 2..=pause)) => {}
            // Somebody needs it now: whoever calls again waits for what comes of it.
            () = missed => awaited = Some(replicas.awaited()),
        }
        pause = PAUSE_MAX.min(pause * 2);
    }
}

fn tls(config: &RuntimeConfig) -> Result<Option<Tls>> {
    let is_https = |url: &Uri| url.scheme_str() == Some("https");
    let uri = config.runtime_name.clone();
    if uri.is_some() {
        let problem = "--runtime-name stands in a certificate: write --runtime-url with https";
        ensure!(config.runtime_url.iter().all(is_https), problem);
    }
    if !config.runtime_url.iter().any(is_https) {
        return Ok(None);
    }
    let ca = config.runtime_tls_ca.as_ref().context("--runtime-tls-ca is required for https")?;
    let identity = config.runtime_tls_cert.as_ref().zip(config.runtime_tls_key.as_ref());
    let identity = identity.map(|(certificate, key)| {
        (File::new("runtime-tls-cert", certificate), File::new("runtime-tls-key", key))
    });
    let files = Files { identity, authorities: Some(File::new("runtime-tls-ca", ca)) };
    let name = config.runtime_tls_name.clone();
    Ok(Some(Tls { config: Arc::new(tls::client(files, uri)?), name }))
}

fn host(url: &Uri) -> &str {
    url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

fn ip(url: &Uri) -> Option<IpAddr> {
    host(url).parse().ok()
}

fn port(url: &Uri) -> u16 {
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    url.port_u16().unwrap_or(default)
}

#[cfg(test)]
mod tests;
