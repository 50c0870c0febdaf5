//! A caller's deadline: `DEADLINE_EXCEEDED` and never CANCELLED, for single answers and for streams.

use super::stand::{Stand, get, watch};
use freehold_tests::{
    database::TestDatabase,
    errors::{assert_error, assert_fails},
};
use shared_db::error::Reason;
use std::time::{Duration, Instant};
use tonic::Code;

/// Sent as a header alone, so that the client's own timer does not answer first.
fn timeout<T>(mut request: tonic::Request<T>, value: &str) -> tonic::Request<T> {
    request.metadata_mut().insert("grpc-timeout", value.parse().unwrap());
    request
}

#[tokio::test]
async fn a_call_past_its_deadline_says_so() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let begun = Instant::now();
    let late = client.get_execution(timeout(get("sleep"), "200m")).await;
    assert_fails(late, Code::DeadlineExceeded, Reason::DeadlineExceeded, None);
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_answer_leaves_before_the_caller_stops_waiting() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let mut request = get("sleep");
    request.set_timeout(Duration::from_secs(1));
    // With ErrorInfo: it is the service that answered, not the client's own timer.
    let late = client.get_execution(request).await;
    assert_fails(late, Code::DeadlineExceeded, Reason::DeadlineExceeded, None);
}

#[tokio::test]
async fn a_stream_ends_at_its_deadline() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let stream = client.watch_execution(timeout(watch("wait"), "300m")).await.unwrap();
    let mut stream = stream.into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.expect_err("the stream ends");
    assert_error(&status, Code::DeadlineExceeded, Reason::DeadlineExceeded, None);
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_the_default_and_long_ones_are_cut() {
    let database = TestDatabase::create().await;
    let settings = ["--deadline-default", "300ms", "--deadline-max", "2s"];
    let stand = Stand::start(&database, &settings).await;
    let mut client = stand.client().await;
    let late = client.get_execution(get("sleep")).await;
    assert_fails(late, Code::DeadlineExceeded, Reason::DeadlineExceeded, None);
    let answer = client.get_execution(timeout(get("remaining"), "1H")).await.unwrap();
    let remaining: u64 = answer.into_inner().initial_prompt.parse().unwrap();
    assert!((1000..=2000).contains(&remaining), "{remaining} ms");
    // Streams have none by default.
    let mut stream = client.watch_execution(watch("wait")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let more = tokio::time::timeout(Duration::from_millis(600), stream.message()).await;
    assert!(more.is_err(), "the stream goes on: {more:?}");
}

#[tokio::test]
async fn a_deadline_that_cannot_be_read_is_refused() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    for value in ["soon", "123456789S", "5", "-1S", "1 S"] {
        let refused = client.get_execution(timeout(get("nothing"), value)).await;
        assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "grpc-timeout");
    }
}
