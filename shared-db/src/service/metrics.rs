//! Metrics: the instruments around every call, and the page that Prometheus reads.

use crate::pool::Pool;
use anyhow::Result;
use opentelemetry::{
    KeyValue, global,
    metrics::{Histogram, Meter, UpDownCounter},
};
use prometheus::{Encoder, Registry, TextEncoder};
use std::{
    sync::{LazyLock, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Seconds; the boundaries that the semantic conventions advise.
const DURATION_BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// A scraper says what it wants within this much.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

/// The meter of all instruments. Take it after the telemetry has started.
pub fn meter() -> Meter {
    global::meter("freehold")
}

/// What is measured of every call.
pub(crate) struct Calls {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
}

pub(crate) fn calls() -> &'static Calls {
    static CALLS: OnceLock<Calls> = OnceLock::new();
    CALLS.get_or_init(|| Calls {
        duration: meter()
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_description("Duration of calls, from the first header to the last trailer")
            .with_boundaries(DURATION_BOUNDS.to_vec())
            .build(),
        active: meter()
            .i64_up_down_counter("freehold.server.calls.active")
            .with_description("Calls under way")
            .build(),
    })
}

impl Calls {
    pub(crate) fn begun(&self) {
        self.active.add(1, &[]);
    }

    pub(crate) fn ended(&self, method: &str, code: &'static str, duration: Duration) {
        self.active.add(-1, &[]);
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("rpc.response.status_code", code),
        ];
        self.duration.record(duration.as_secs_f64(), &attributes);
    }
}

/// Shows how much of a pool is in use.
pub(crate) fn watch(pool: Pool) {
    meter()
        .u64_observable_gauge("db.client.connection.count")
        .with_description("Connections of the pool, by state")
        .with_callback(move |observer| {
            let (idle, size) = (pool.idle() as u64, pool.size() as u64);
            let used = size.saturating_sub(idle);
            for (state, count) in [("idle", idle), ("used", used)] {
                observer.observe(count, &[KeyValue::new("db.client.connection.state", state)]);
            }
        })
        .build();
}

/// The reader that [`serve`] shows.
pub(crate) fn prometheus() -> Result<opentelemetry_prometheus::PrometheusExporter> {
    Ok(opentelemetry_prometheus::exporter().with_registry(REGISTRY.clone()).build()?)
}

/// Answers `GET /metrics` over HTTP/1, one request a connection, until it is dropped.
pub(crate) async fn serve(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(tokio::time::timeout(REQUEST_TIMEOUT, answer(stream)));
            }
            Err(error) => {
                tracing::warn!(%error, "a metrics connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|it| it == b"\r\n\r\n") && head.len() < REQUEST_BYTES_MAX {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let (status, body) = match head.split(|it| *it == b'\r').next() {
        Some(line) if line.starts_with(b"GET /metrics") => ("200 OK", page()),
        _ => ("404 Not Found", b"metrics are at /metrics\n".to_vec()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

fn page() -> Vec<u8> {
    let mut page = Vec::new();
    if let Err(error) = TextEncoder::new().encode(&REGISTRY.gather(), &mut page) {
        tracing::warn!(%error, "some metrics could not be written");
    }
    page
}
