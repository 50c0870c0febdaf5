//! What the operator sees.

use super::stand::{Stand, get};
use freehold_tests::database::TestDatabase;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn fetch(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    client.get_execution(get("nothing")).await.unwrap();
    client.get_execution(get("panic")).await.unwrap_err();
    let page = fetch(stand.metrics, "/metrics").await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    for code in ["OK", "INTERNAL"] {
        let line = page.lines().find(|it| {
            it.starts_with("rpc_server_call_duration_seconds_count")
                && it.contains("rpc_method=\"freehold.web.v1.ExecutionService/GetExecution\"")
                && it.contains(&format!("rpc_response_status_code=\"{code}\""))
        });
        assert!(line.is_some(), "{code}: {page}");
    }
    assert!(page.contains("freehold_boundary_findings"), "{page}");
    assert!(fetch(stand.metrics, "/").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_call_goes_on_in_the_callers_trace() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let mut request = get("trace");
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let seen = client.get_execution(request).await.unwrap().into_inner().initial_prompt;
    assert!(seen.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{seen}");
    assert_ne!(seen, traceparent, "within it, in a span of its own");

    let seen = client.get_execution(get("trace")).await.unwrap().into_inner().initial_prompt;
    assert_eq!(seen.len(), traceparent.len(), "a trace begins with a call that has none: {seen}");
}
