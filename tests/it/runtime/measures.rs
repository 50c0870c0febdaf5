//! What the engine measures, as Prometheus reads it.

use freehold_tests::{remote::Remote, stack::Stack};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn the_work_of_the_engine_is_on_the_page_for_prometheus() {
    let stack = Stack::shared().await;
    let remote = Remote::start().await;
    let org = stack.organization().await;
    let agent = org.agent(&[&remote.url("/echo")]).await;
    let execution = org.start(&agent, json!({})).await;
    assert_eq!(org.finish(&execution).await["state"], "EXECUTION_STATE_SUCCEEDED");

    let mut stream = TcpStream::connect(stack.runtimes[0].metrics).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    for line in [
        "freehold_engine_claimed_total{",
        "freehold_engine_finished_total{",
        "freehold_engine_step_duration_seconds_count{",
        "freehold_engine_pickup_duration_seconds_count{",
        "freehold_engine_queue_age_seconds{",
        "freehold_engine_queue_due{",
        "state=\"succeeded\"",
    ] {
        assert!(page.contains(line), "{line} is not on the page:\n{page}");
    }
}
