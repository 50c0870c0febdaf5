//! Logs, traces and metrics of the process, and the trace context that goes from call to call.
//!
//! Trace ids exist without a collector too: logs and the audit trail name them.

use super::{config::TelemetryConfig, logs, metrics};
use anyhow::{Context as _, Result};
use opentelemetry::{
    Context, KeyValue, global,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tonic::metadata::{MetadataKey, MetadataMap};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

/// What is sent to a collector must be taken within this, or it is lost: a stop does not wait for a collector that is away.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

const TRACEPARENT: &str = "traceparent";

static PROVIDERS: OnceLock<(SdkTracerProvider, SdkMeterProvider)> = OnceLock::new();

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
    let tracer = tracers.tracer("freehold");
    if PROVIDERS.set((tracers.clone(), meters.clone())).is_err() {
        return Ok(());
    }
    global::set_tracer_provider(tracers);
    global::set_meter_provider(meters);

    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_tracked_inactivity(false)
        // Whoever passes a context on asks its span for it. To make it current at every poll costs more than the rest of the layer.
        .with_context_activation(false)
        .with_level(false)
        .with_threads(false);
    let subscriber =
        Registry::default().with(logs::layer(config)?).with(spans.with_filter(quiet()));
    // A subscriber that is already there, such as a test's, stays.
    drop(subscriber.try_init());
    Ok(())
}

/// Spans of the transport underneath would drown those of the calls, and the exporter's would export themselves.
fn quiet() -> Targets {
    let transport = ["h2", "hyper", "hyper_util", "tonic", "tower", "opentelemetry", "sqlx"];
    let targets = Targets::new().with_default(tracing::Level::INFO);
    targets.with_targets(transport.map(|it| (it, tracing::Level::ERROR)))
}

fn tracers(config: &TelemetryConfig, resource: Resource) -> Result<SdkTracerProvider> {
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &config.otlp_endpoint else {
        // Nobody would see it. Traces have their ids all the same, and one that began elsewhere goes on.
        let off = Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        return Ok(builder.with_sampler(off).build());
    };
    let ratio = Sampler::TraceIdRatioBased(config.trace_ratio.clamp(0.0, 1.0));
    let builder = builder.with_sampler(Sampler::ParentBased(Box::new(ratio)));
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .context("--otlp-endpoint")?;
    Ok(builder.with_batch_exporter(exporter).build())
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

/// Sends what has not been sent yet; at the end of a service.
pub async fn flush() {
    let Some((tracers, meters)) = PROVIDERS.get().cloned() else { return };
    let flushed = tokio::task::spawn_blocking(move || {
        (tracers.force_flush().is_ok(), meters.force_flush().is_ok())
    });
    if let Ok((traces, metrics)) = flushed.await
        && !(traces && metrics)
    {
        tracing::warn!(traces, metrics, "the collector did not take the last of the telemetry");
    }
}

/// Puts the current trace into the metadata of a call downstream.
pub fn inject(metadata: &mut MetadataMap) {
    TraceContextPropagator::new()
        .inject_context(&Span::current().context(), &mut Metadata(metadata));
}

/// The current trace as W3C `traceparent`, to be stored with work that goes on later.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes `span` continue the trace that was stored with the work it stands for. Call it before the span is entered.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    set_parent(span, &carrier);
}

/// Makes `span` continue the trace that a call came with.
pub(crate) fn continue_from_headers(span: &Span, headers: &http::HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        set_parent(span, &Headers(headers));
    }
}

fn set_parent(span: &Span, carrier: &dyn Extractor) {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
    if parent.span().span_context().is_valid() {
        // It fails for a span that nobody records, which needs no parent.
        drop(span.set_parent(parent));
    }
}

/// The current trace's id, in 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    trace_id_of(&Span::current())
}

pub(crate) fn trace_id_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| span.trace_id().to_string())
}

struct Metadata<'a>(&'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

struct Headers<'a>(&'a http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
