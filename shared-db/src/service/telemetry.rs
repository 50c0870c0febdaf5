//! Logs, traces and metrics of the process.

use super::{
    config::TelemetryConfig,
    logs::{self, Logged},
    metrics,
};
use anyhow::{Context as _, Result};
use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{Sampler, SdkTracerProvider},
};
use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Identity, SubscriberExt},
    util::SubscriberInitExt,
};

/// What is sent to a collector must be taken within this, or it is lost: a stop does not wait for a collector that is away.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

struct Providers {
    /// There with a collector.
    tracers: Option<SdkTracerProvider>,
    meters: SdkMeterProvider,
}

static PROVIDERS: OnceLock<Providers> = OnceLock::new();

/// Turns on logs and, when an endpoint is set, OTLP. Once a process: whoever comes second shares what is there.
pub fn start(config: &TelemetryConfig, service: &'static str) -> Result<()> {
    // Two services of one process, as in tests, may begin at the same moment; metrics are registered once.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if PROVIDERS.get().is_some() {
        return Ok(());
    }
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.namespace", "freehold"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let tracers = tracers(config, resource.clone())?;
    let meters = meters(config, resource)?;
    global::set_meter_provider(meters.clone());
    let (registry, lines) = (Registry::default(), logs::layer(config));
    // A subscriber that is already there, such as a test's, stays.
    drop(match (&tracers, Logged::of(config)?) {
        (Some(tracers), logged) => {
            let spans = tracing_opentelemetry::layer()
                .with_tracer(tracers.tracer("freehold"))
                .with_location(false)
                .with_tracked_inactivity(false)
                // Whoever passes a context on asks its span for it. To make it current at every poll costs more than the rest of the layer.
                .with_context_activation(false)
                .with_level(false)
                .with_threads(false);
            let lines = lines.with_filter(logged.filter());
            registry.with(lines).with(spans.with_filter(traced())).try_init()
        }
        // One filter for everything: where layers have their own, each poll of a call looks its span up for each of them.
        (None, Logged::ByTarget(logged)) => {
            registry.with(lines).with(logs::logged_or_traced(logged, traced())).try_init()
        }
        (None, logged @ Logged::BySpan(_)) => {
            let lines = lines.with_filter(logged.filter());
            registry.with(lines).with(Identity::new().with_filter(traced())).try_init()
        }
    });
    drop(PROVIDERS.set(Providers { tracers, meters }));
    Ok(())
}

/// Spans that traces are made of. Those of the transport underneath would drown those of the calls, and the exporter's would export themselves.
fn traced() -> Targets {
    let transport = ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry", "sqlx"];
    let targets = Targets::new().with_default(tracing::Level::INFO);
    targets.with_targets(transport.map(|it| (it, tracing::Level::ERROR)))
}

fn tracers(config: &TelemetryConfig, resource: Resource) -> Result<Option<SdkTracerProvider>> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    let ratio = Sampler::TraceIdRatioBased(config.trace_ratio.clamp(0.0, 1.0));
    let builder = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(ratio)));
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .context("--otlp-endpoint")?;
    Ok(Some(builder.with_batch_exporter(exporter).build()))
}

fn meters(config: &TelemetryConfig, resource: Resource) -> Result<SdkMeterProvider> {
    let builder =
        SdkMeterProvider::builder().with_resource(resource).with_reader(metrics::prometheus()?);
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(builder.build()) };
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .context("--otlp-endpoint")?;
    Ok(builder.with_periodic_exporter(exporter).build())
}

/// Whether spans are made to be sent to a collector.
pub(super) fn exports_spans() -> bool {
    PROVIDERS.get().is_some_and(|it| it.tracers.is_some())
}

/// Sends what has not been sent yet; at the end of a service.
pub async fn flush() {
    let Some(Providers { tracers, meters }) = PROVIDERS.get() else { return };
    let flushed = tokio::task::spawn_blocking(|| {
        let traces = tracers.as_ref().is_none_or(|it| it.force_flush().is_ok());
        (traces, meters.force_flush().is_ok())
    });
    if let Ok((traces, metrics)) = flushed.await
        && !(traces && metrics)
    {
        tracing::warn!(traces, metrics, "the collector did not take the last of the telemetry");
    }
}
