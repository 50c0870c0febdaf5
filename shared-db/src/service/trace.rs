//! The record of one call: its span, its line in the log, its place in the metrics. It is closed once, whatever happens.

use super::{methods::Method, metrics, trace_context};
use http::HeaderMap;
use opentelemetry::trace::Status;
use std::sync::Arc;
use tokio::time::Instant;
use tonic::Code;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What a method that does not exist is called, so that callers cannot make metrics grow.
const OTHER: &str = "_OTHER";

pub(crate) struct Record {
    pub(crate) span: Span,
    /// `None`: there is no such method.
    method: Option<Arc<Method>>,
    begun: Instant,
    closed: bool,
}

impl Record {
    /// Opens the record of a call, in the trace that it came with.
    pub(crate) fn open(method: Option<Arc<Method>>, headers: &HeaderMap) -> Self {
        let name = name_of(method.as_deref());
        // Of the highest level, so that what is logged within a call names its trace at every level.
        let span = tracing::error_span!(
            "call",
            otel.name = name,
            otel.kind = "server",
            rpc.system.name = "grpc",
            rpc.method = name,
            freehold.organization = Empty,
            freehold.user = Empty,
            trace_id = Empty,
        );
        trace_context::continue_from_headers(&span, headers);
        if let Some(trace_id) = trace_context::trace_id_of(&span) {
            span.record("trace_id", trace_id);
        }
        metrics::calls().begun();
        Self { span, method, begun: Instant::now(), closed: false }
    }

    /// Closes it; only the first time counts.
    pub(crate) fn close(&mut self, code: Code) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let (span, method) = (&self.span, self.method.as_deref());
        let name = code_name(code);
        let duration = self.begun.elapsed();
        let ms = (duration.as_secs_f64() * 100_000.0).round() / 100.0;
        metrics::calls().ended(name_of(method), name, duration);
        span.set_attribute("rpc.response.status_code", name);
        // Health and reflection are of no interest in the log.
        let quiet = method.is_some_and(|it| it.least_role.is_none());
        if is_fault(code) {
            span.set_attribute("error.type", name);
            span.set_status(Status::error(name));
            tracing::warn!(parent: span, code = name, ms, "call");
        } else if quiet || code == Code::Ok {
            // Metrics count it and its trace tells it: a line for each would cost more than many a call itself.
            tracing::debug!(parent: span, code = name, ms, "call");
        } else {
            tracing::info!(parent: span, code = name, ms, "call");
        }
    }
}

fn name_of(method: Option<&Method>) -> &str {
    method.map_or(OTHER, |it| it.full_name.as_str())
}

impl Drop for Record {
    /// Dropped before its end: the caller went away.
    fn drop(&mut self) {
        self.close(Code::Cancelled);
    }
}

/// Codes that count as the service's fault.
fn is_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
