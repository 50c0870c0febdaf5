//! One request is one trace, from the caller through web, runtime, the queue and each step; and what the engine measures can be read.

use freehold_tests::{
    collector::{Collector, Span},
    process::Processes,
    remote::Remote,
    settings::Settings,
};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The span of this name in the trace, when it has arrived.
fn find(spans: &[Span], name: &str) -> Option<Span> {
    spans.iter().find(|it| it.name == name && hex(&it.trace) == TRACE).cloned()
}

/// Whether `span` is somewhere below `above`.
fn is_below(spans: &[Span], span: &Span, above: &Span) -> bool {
    let mut at = span.clone();
    while let Some(parent) = spans.iter().find(|it| it.id == at.parent) {
        if parent.id == above.id {
            return true;
        }
        at = parent.clone();
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_is_one_trace_from_the_caller_to_each_step() {
    let collector = Collector::start().await;
    let remote = Remote::start().await;
    let both = vec![("OTLP_ENDPOINT", collector.endpoint())];
    let mut processes = Processes::start(1, Settings { both, ..Settings::default() }).await;
    let org = processes.organization().await;
    let url = remote.url("/echo");
    let agent = org.agent(&[&url, &url]).await;

    let developer = org.developer();
    let identity = developer.identity.clone();
    let traced = identity.with("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let request = json!({ "agent_id": agent, "input": {}, "request_id": "traced" });
    let execution = developer
        .with_identity(traced)
        .call("ExecutionService/StartExecution", request)
        .await
        .unwrap();
    let execution = org.finish(execution["id"].as_str().unwrap()).await;
    assert_eq!(execution["state"], "EXECUTION_STATE_SUCCEEDED");
    measures(&processes).await;

    // What was not sent yet is sent when a process stops.
    processes.web.term();
    processes.runtimes[0].term();
    assert!(processes.web.wait(Duration::from_secs(30)).await.is_some());
    assert!(processes.runtimes[0].wait(Duration::from_secs(30)).await.is_some());

    let spans = collector.spans();
    let names: Vec<_> =
        spans.iter().filter(|it| hex(&it.trace) == TRACE).map(|it| &it.name).collect();
    let of = |name: &str| find(&spans, name).unwrap_or_else(|| panic!("no span {name}: {names:?}"));
    let (work, first, second) = (of("execution"), of("step step-1"), of("step step-2"));
    assert!(is_below(&spans, &first, &work) && is_below(&spans, &second, &work));
    let calls =
        spans.iter().filter(|it| hex(&it.trace) == TRACE && it.name.ends_with("/StartExecution"));
    let services: std::collections::BTreeSet<_> = calls.map(|it| it.service.clone()).collect();
    assert_eq!(services.len(), 2, "web and runtime each took the call: {names:?}");
    // The remote is somebody else: our trace is none of its business.
    assert!(remote.requests().iter().all(|it| !it.headers.contains_key("traceparent")));
}

/// What the engine measures stands on the page for Prometheus.
async fn measures(processes: &Processes) {
    let mut stream = TcpStream::connect(processes.runtimes[0].metrics).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    for line in [
        "freehold_engine_claimed_total{",
        "freehold_engine_finished_total{",
        "freehold_engine_step_duration_seconds_count{",
        "freehold_engine_pickup_duration_seconds_count{",
        "freehold_engine_queue_age_seconds{",
        "freehold_engine_queue_due{",
    ] {
        assert!(page.contains(line), "{line} is not on the page:\n{page}");
    }
    assert!(page.contains("state=\"succeeded\""));
}
