//! More at once than there are places: refused at once, with when to come again; health is never refused.

use super::stand::{Stand, get, is_serving, watch};
use freehold_tests::{database::TestDatabase, errors::assert_fails};
use shared_db::error::Reason;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn calls_beyond_the_limit_are_refused_and_health_is_not() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &["--calls-max", "1", "--streams-max", "1"]).await;
    let mut client = stand.client().await;
    let slow = {
        let mut client = client.clone();
        tokio::spawn(async move { client.get_execution(get("nap")).await })
    };
    let mut refused = None;
    while refused.is_none() && !slow.is_finished() {
        refused = client.get_execution(get("nothing")).await.err();
    }
    let refused = Err::<(), _>(refused.expect("there is one place, and it is taken"));
    let status = assert_fails(refused, Code::ResourceExhausted, Reason::Overloaded, None);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    assert!(is_serving(stand.health, "").await);
    assert!(is_serving(stand.grpc, "freehold.web.v1.ExecutionService").await);

    slow.await.unwrap().unwrap();
    client.get_execution(get("nothing")).await.expect("the place is free again");

    let stream = client.watch_execution(watch("wait")).await.unwrap();
    let second = client.watch_execution(watch("wait")).await;
    assert_fails(second, Code::ResourceExhausted, Reason::Overloaded, None);
    client.get_execution(get("nothing")).await.expect("streams take no places of calls");
    drop(stream);
    while client.watch_execution(watch("none")).await.is_err() {
        tokio::task::yield_now().await;
    }
}
