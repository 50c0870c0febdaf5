//! A collector of OTLP on a real socket. It is not one, and says so in its metadata.

use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use opentelemetry_proto::tonic::{common::v1::any_value, resource::v1::Resource};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::AbortHandle};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// A span that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) service: String,
    pub(super) name: String,
    /// In hexadecimal digits.
    pub(super) trace_id: String,
}

#[derive(Clone, Default)]
struct Taken {
    spans: Arc<Mutex<Vec<Span>>>,
    metrics: Arc<Mutex<BTreeSet<String>>>,
}

/// It stops when this is dropped.
pub(super) struct Collector {
    pub(super) endpoint: String,
    taken: Taken,
    task: AbortHandle,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let taken = Taken::default();
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(taken.clone()))
            .add_service(MetricsServiceServer::new(taken.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(serving).abort_handle();
        Self { endpoint, taken, task }
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.taken.spans.lock().unwrap().clone()
    }

    /// Names of the metrics that came.
    pub(super) fn metrics(&self) -> BTreeSet<String> {
        self.taken.metrics.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tonic::async_trait]
impl TraceService for Taken {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for it in request.into_inner().resource_spans {
            let service = service_name(it.resource.as_ref());
            for span in it.scope_spans.into_iter().flat_map(|it| it.spans) {
                let trace_id = hex(&span.trace_id);
                let span = Span { service: service.clone(), name: span.name, trace_id };
                self.spans.lock().unwrap().push(span);
            }
        }
        Ok(not_a_collector(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Taken {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let scopes =
            request.into_inner().resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
        let names = scopes.flat_map(|it| it.metrics).map(|it| it.name);
        self.metrics.lock().unwrap().extend(names);
        Ok(not_a_collector(ExportMetricsServiceResponse::default()))
    }
}

fn not_a_collector<T>(message: T) -> Response<T> {
    let mut response = Response::new(message);
    let server = "freehold-test-collector (stands for a collector, is none)";
    response.metadata_mut().insert("server", server.parse().unwrap());
    response
}

fn service_name(resource: Option<&Resource>) -> String {
    let attributes = resource.map(|it| it.attributes.as_slice()).unwrap_or_default();
    let name = attributes.iter().find(|it| it.key == "service.name");
    match name.and_then(|it| it.value.as_ref()?.value.as_ref()) {
        Some(any_value::Value::StringValue(name)) => name.clone(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, it| text + &format!("{it:02x}"))
}
