//! The real binaries: one trace through all of them, and an end that is always reached.

use super::collector::{Collector, Span};
use freehold_tests::{client::As, process::Processes, remote::Remote, settings::Settings};
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpStream;

fn both(settings: &[(&'static str, &str)]) -> Settings {
    let both = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Settings { both, ..Settings::default() }
}

#[tokio::test]
async fn one_trace_leads_from_the_caller_through_web_runtime_the_queue_and_each_step() {
    let collector = Collector::start().await;
    let mut processes = Processes::start(1, both(&[("OTLP_ENDPOINT", &collector.endpoint)])).await;
    let remote = Remote::start().await;
    let org = processes.organization().await;
    let agent = org.agent(&[&remote.url("/echo"), &remote.url("/echo")]).await;

    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let identity = As::key(&org.developer.key);
    let identity = identity.with("traceparent", &format!("00-{trace_id}-00f067aa0ba902b7-01"));
    let request = json!({ "agent_id": agent, "request_id": "one", "input": {} });
    let caller = org.developer().with_identity(identity);
    let execution = caller.call("ExecutionService/StartExecution", request).await.unwrap();
    let ended = org.finish(execution["id"].as_str().unwrap()).await;
    assert_eq!(ended["state"], "EXECUTION_STATE_SUCCEEDED");

    // What has not been sent yet is sent before the end.
    processes.webs[0].term();
    processes.runtimes[0].term();
    let patience = Duration::from_secs(20);
    for process in [&mut processes.webs[0], &mut processes.runtimes[0]] {
        let status = process.wait(patience).await.expect("it ends");
        assert!(status.success(), "{status} {}", process.log());
    }
    let spans: Vec<Span> =
        collector.spans().into_iter().filter(|it| it.trace_id == trace_id).collect();
    for (service, name) in [
        ("web-service", "freehold.web.v1.ExecutionService/StartExecution"),
        ("runtime-service", "freehold.runtime.v1.ExecutionService/StartExecution"),
        ("runtime-service", "execution"),
        ("runtime-service", "step step-1"),
        ("runtime-service", "step step-2"),
    ] {
        let count = spans.iter().filter(|it| it.service == service && it.name == name).count();
        assert_eq!(count, 1, "{service}: {name} in {spans:#?}");
    }
    assert!(collector.metrics().contains("rpc.server.call.duration"), "{:?}", collector.metrics());
}

#[tokio::test]
async fn a_stop_ends_in_time_whoever_is_connected_and_without_a_collector() {
    // Nothing listens on port 1.
    let settings = [("SHUTDOWN_GRACE", "1s"), ("OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let mut processes = Processes::start(1, both(&settings)).await;
    let _silent = TcpStream::connect(processes.webs[0].grpc).await.unwrap();
    let _silent = TcpStream::connect(processes.runtimes[0].grpc).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    processes.webs[0].term();
    processes.runtimes[0].term();
    for process in [&mut processes.webs[0], &mut processes.runtimes[0]] {
        let status = process.wait(Duration::from_secs(15)).await.expect("it ends");
        assert!(status.success(), "{status} {}", process.log());
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let settings = both(&[("DRAIN_DELAY", "10m")]);
    let mut processes = Processes::start(0, settings).await;
    processes.webs[0].term();
    assert!(processes.webs[0].wait(Duration::from_millis(500)).await.is_none(), "it drains");
    processes.webs[0].term();
    let status = processes.webs[0].wait(Duration::from_secs(5)).await.expect("it ends");
    assert_eq!(status.code(), Some(130));
}
