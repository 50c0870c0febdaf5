//! The trace that a call is part of, as W3C Trace Context has it: taken from whoever calls, given to whoever is called, stored with work that
//! goes on later, and named in logs and in the audit trail.
//!
//! With a collector the layer that exports spans knows it. Traces have their ids without one too; then they are kept with the spans here, for
//! spans that are made to be exported and go nowhere cost more than all else that is done about a call.

use super::telemetry;
use http::{HeaderMap, HeaderName};
use opentelemetry::{
    Context, TraceFlags,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt, TraceState},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator, RandomIdGenerator},
};
use std::collections::HashMap;
use tonic::metadata::{MetadataKey, MetadataMap};
use tracing::{Id, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Registry, registry::LookupSpan};

const TRACEPARENT: &str = "traceparent";

/// Puts the current trace into the metadata of a call downstream.
pub fn inject(metadata: &mut MetadataMap) {
    inject_into(&mut Metadata(metadata));
}

/// The current trace as W3C `traceparent`, to be stored with work that goes on later.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    inject_into(&mut carrier);
    carrier.remove(TRACEPARENT)
}

fn inject_into(carrier: &mut dyn Injector) {
    if let Some(trace) = of(&Span::current()) {
        let context = Context::new().with_remote_span_context(trace);
        TraceContextPropagator::new().inject_context(&context, carrier);
    }
}

/// Makes `span` continue the trace that was stored with the work it stands for. Call it before the span is entered.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    set_parent(span, &carrier);
}

/// Makes `span` continue the trace that a call came with.
pub(crate) fn continue_from_headers(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        set_parent(span, &Headers(headers));
    }
}

fn set_parent(span: &Span, carrier: &dyn Extractor) {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
    let parent = context.span().span_context().clone();
    if !parent.is_valid() {
        return;
    }
    if telemetry::exports_spans() {
        // It fails for a span that nobody records, which needs no parent.
        drop(span.set_parent(context));
    } else {
        keep(span, parent);
    }
}

/// The current trace's id, in 32 hexadecimal digits.
pub fn trace_id() -> Option<String> {
    trace_id_of(&Span::current())
}

pub(crate) fn trace_id_of(span: &Span) -> Option<String> {
    of(span).map(|it| it.trace_id().to_string())
}

/// The trace of a span; none if nobody takes note of the span.
fn of(span: &Span) -> Option<SpanContext> {
    if telemetry::exports_spans() {
        let context = span.context();
        let trace = context.span().span_context().clone();
        return trace.is_valid().then_some(trace);
    }
    span.with_subscriber(|(id, subscriber)| kept(subscriber.downcast_ref()?, id)).flatten()
}

/// The trace that is kept with a span or with one around it, or a new one.
fn kept(registry: &Registry, span: &Id) -> Option<SpanContext> {
    let mut outermost = None;
    for span in registry.span(span)?.scope() {
        if let Some(Kept(trace)) = span.extensions().get() {
            return Some(trace.clone());
        }
        outermost = Some(span);
    }
    let trace = within(None);
    outermost?.extensions_mut().insert(Kept(trace.clone()));
    Some(trace)
}

/// With a span whose trace nobody exports.
struct Kept(SpanContext);

fn keep(span: &Span, parent: SpanContext) {
    span.with_subscriber(|(id, subscriber)| {
        if let Some(span) = subscriber.downcast_ref::<Registry>().and_then(|it| it.span(id)) {
            span.extensions_mut().replace(Kept(within(Some(parent))));
        }
    });
}

/// A span of its own in its parent's trace, or in a new one that nobody samples.
fn within(parent: Option<SpanContext>) -> SpanContext {
    let ids = RandomIdGenerator::default();
    let (trace, flags, state) = match parent {
        Some(it) => (it.trace_id(), it.trace_flags(), it.trace_state().clone()),
        None => (ids.new_trace_id(), TraceFlags::default(), TraceState::default()),
    };
    SpanContext::new(trace, ids.new_span_id(), flags, false, state)
}

struct Metadata<'a>(&'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
