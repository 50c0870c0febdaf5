//! One service in this process, on ports of its own.

use crate::{
    certificates::{Authority, CALLER_NAME, RUNTIME_NAME, WEB_NAME},
    database::TestDatabase,
    doors::{channel, until_health},
    process::filter_runner,
    settings::{self, Settings},
};
use clap::Parser;
use shared_db::service::Listeners;
use std::{future::Future, net::SocketAddr, time::Duration};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus::Serving;

const START_TIME_MAX: Duration = Duration::from_secs(30);

/// A service that serves. It is asked to stop when this is dropped.
#[derive(Debug)]
pub struct Served {
    pub grpc: SocketAddr,
    pub health: SocketAddr,
    pub metrics: SocketAddr,
    pub channel: Channel,
    pub stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    _guard: DropGuard,
}

impl Served {
    /// Asks it to stop, and waits until it has ended.
    pub async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await?
    }
}

pub(super) async fn web(
    database: &TestDatabase,
    settings: &Settings,
    runtimes: &[Served],
    authority: Option<&Authority>,
) -> Served {
    let scheme = if authority.is_some() { "https" } else { "http" };
    let urls: Vec<_> = runtimes.iter().map(|it| format!("{scheme}://{}", it.grpc)).collect();
    // Port 1 refuses.
    let urls = if urls.is_empty() { "http://127.0.0.1:1".to_owned() } else { urls.join(",") };
    let files_dir = database.files_dir().display().to_string();
    let mut more =
        vec![("DATABASE_URL", database.web_url()), ("RUNTIME_URL", urls), ("FILES_DIR", files_dir)];
    if let Some(authority) = authority {
        more.extend(authority.server(WEB_NAME));
        more.extend(authority.client(WEB_NAME));
    }
    let arguments = settings::arguments(&settings::web(settings, &more));
    let config = web_service::Config::try_parse_from(arguments).unwrap_or_else(|it| panic!("{it}"));
    let service = |listeners, stop| web_service::serve(config, listeners, stop);
    serve("web-service", authority, service).await
}

pub(super) async fn runtime(
    database: &TestDatabase,
    settings: &Settings,
    authority: Option<&Authority>,
) -> Served {
    let runner = filter_runner().await.display().to_string();
    let mut more = vec![("DATABASE_URL", database.runtime_url()), ("FILTER_RUNNER", runner)];
    if let Some(authority) = authority {
        more.extend(authority.server(RUNTIME_NAME));
    }
    let arguments = settings::arguments(&settings::runtime(settings, &more));
    let config =
        runtime_service::Config::try_parse_from(arguments).unwrap_or_else(|it| panic!("{it}"));
    let service = |listeners, stop| runtime_service::serve(config, listeners, stop);
    serve("runtime-service", authority, service).await
}

async fn serve<F>(
    name: &str,
    authority: Option<&Authority>,
    service: impl FnOnce(Listeners, CancellationToken) -> F,
) -> Served
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let listeners = Listeners::any().await.expect("three ports are free");
    let address = |it: &tokio::net::TcpListener| it.local_addr().expect("it is bound");
    let (grpc, health, metrics) =
        (address(&listeners.grpc), address(&listeners.health), address(&listeners.metrics));
    let stop = CancellationToken::new();
    let mut task = tokio::spawn(service(listeners, stop.clone()));
    tokio::select! {
        ended = &mut task => panic!("{name} did not start: {ended:?}"),
        health = until_health(health, Serving, START_TIME_MAX) => {
            assert_eq!(health, Ok(()), "{name} serves");
        }
    }
    let channel = match authority {
        Some(authority) if name == "web-service" => authority.channel(grpc, CALLER_NAME),
        Some(authority) => authority.channel(grpc, WEB_NAME),
        None => channel(grpc),
    };
    Served { grpc, health, metrics, channel, _guard: stop.clone().drop_guard(), stop, task }
}
