//! Watching: every event once, in order, from wherever one left off.

use super::{add_events, fresh, rest, waiting, watch, world};
use freehold_tests::{
    errors::{assert_error, assert_fails},
    remote::Remote,
    stack::Stack,
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Request};
use tonic_types::StatusExt;
use web_api::v1::WatchExecutionRequest;

#[tokio::test]
async fn events_are_seen_within_a_quarter_of_a_second_without_gaps_until_the_final_one() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/slow?ms=300"), &remote.url("/echo")]).await;
    let id = org.start(&agent, json!({})).await;
    let mut events = watch(&org, &id, 0).await.unwrap();
    let first = timeout(Duration::from_millis(250), events.message()).await.expect("at once");
    assert_eq!(first.unwrap().unwrap().event.unwrap().seq, 1);
    let (seen, end) = rest(&mut events).await;
    assert!(end.is_none(), "{end:?}");
    let last = i64::try_from(seen.len()).unwrap() + 1;
    assert_eq!(seen, (2..=last).collect::<Vec<_>>());
    let done =
        org.viewer().call("ExecutionService/GetExecution", json!({ "id": id })).await.unwrap();
    assert_eq!(done["last_event_seq"], last.to_string());
}

#[tokio::test]
async fn a_watch_resumes_from_every_seq_and_ends_at_once_past_the_end() {
    let (_stack, org) = world().await;
    let remote = Remote::start().await;
    let agent = org.agent(&[&remote.url("/echo"), &remote.url("/echo")]).await;
    let id = org.start(&agent, json!({})).await;
    let all: Vec<Value> = org.watch(&id).await;
    let kinds: Vec<_> = all.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"EVENT_TYPE_EXECUTION_QUEUED"));
    assert_eq!(kinds.last(), Some(&"EVENT_TYPE_EXECUTION_SUCCEEDED"));
    let last = i64::try_from(all.len()).unwrap();
    for from in 0..=last + 3 {
        let mut events = watch(&org, &id, from).await.unwrap();
        let (seen, end) = timeout(Duration::from_secs(5), rest(&mut events)).await.unwrap();
        assert!(end.is_none(), "{end:?}");
        assert_eq!(seen, (from.max(1)..=last).collect::<Vec<_>>(), "from {from}");
    }
    let refused = watch(&org, &id, -1).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "from_seq");
}

#[tokio::test]
async fn an_execution_of_another_organization_is_not_found_before_the_stream_begins() {
    let (stack, org) = world().await;
    let id = waiting(&org).await;
    let other = stack.organization().await;
    for id in [id, fresh()] {
        let refused = watch(&other, &id, 0).await;
        assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
    }
}

#[tokio::test]
async fn a_watch_ends_with_the_deadline_of_its_caller() {
    let (_stack, org) = world().await;
    let id = waiting(&org).await;
    let mut request = Request::new(WatchExecutionRequest { id, from_seq: 0 });
    // Of the client's own making it would be CANCELLED, or nothing at all: only the server is told.
    request.metadata_mut().insert("grpc-timeout", "400m".parse().unwrap());
    let began = Instant::now();
    let mut events = org.viewer().executions().watch_execution(request).await.unwrap().into_inner();
    let (seen, end) = timeout(Duration::from_secs(5), rest(&mut events)).await.unwrap();
    assert_eq!(seen, [1]);
    assert_error(&end.unwrap(), Code::DeadlineExceeded, Reason::DeadlineExceeded, None);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_watch_that_waits_sees_the_cancel_of_another() {
    let (_stack, org) = world().await;
    let id = waiting(&org).await;
    let mut events = watch(&org, &id, 2).await.unwrap();
    sleep(Duration::from_millis(600)).await;
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    let (seen, end) = timeout(Duration::from_secs(2), rest(&mut events)).await.unwrap();
    assert!(end.is_none(), "{end:?}");
    assert_eq!(seen, [2]);
}

#[tokio::test]
async fn many_watches_that_wait_hold_no_connection() {
    // Four connections are all that web has here.
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let id = waiting(&org).await;
    let mut watches = Vec::new();
    for _ in 0..40 {
        watches.push(watch(&org, &id, 2).await.unwrap());
    }
    let request = json!({ "id": id });
    for _ in 0..10 {
        let viewer = org.viewer();
        let read = viewer.call("ExecutionService/GetExecution", request.clone());
        timeout(Duration::from_secs(2), read).await.expect("there is a connection").unwrap();
    }
    org.developer().call("ExecutionService/CancelExecution", request).await.unwrap();
    for mut events in watches {
        assert_eq!(rest(&mut events).await.0, [2]);
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_closed_with_the_last_seq_and_misses_nothing() {
    let stack = Stack::builder().set_web("WATCH_READER_TIMEOUT", "300ms").start().await;
    let org = stack.organization().await;
    let id = waiting(&org).await;
    // More than all buffers between the services and this test hold.
    let total = 6000;
    add_events(&stack.database.superuser(), &id, total - 1, 2000).await;

    let mut events = watch(&org, &id, 0).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let (seen, end) = rest(&mut events).await;
    let status = end.expect("it is closed");
    assert_error(&status, Code::ResourceExhausted, Reason::WatchTooSlow, None);
    let last = *seen.last().unwrap();
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
    assert!(last < total);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["last_seq"], last.to_string(), "the last one that was sent");

    // From the next one on, with a reader that reads.
    let mut events = watch(&org, &id, last + 1).await.unwrap();
    let next = events.message().await.unwrap().unwrap().event.unwrap();
    assert_eq!(next.seq, last + 1);
}

#[tokio::test]
async fn a_service_that_stops_ends_its_watches_and_says_to_watch_elsewhere() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let id = waiting(&org).await;
    let mut events = watch(&org, &id, 0).await.unwrap();
    events.message().await.unwrap();
    stack.web.stop.cancel();
    let (seen, end) = timeout(Duration::from_secs(5), rest(&mut events)).await.unwrap();
    assert_eq!(seen, Vec::<i64>::new());
    assert_error(&end.unwrap(), Code::Unavailable, Reason::NotServing, None);
}

#[tokio::test]
async fn what_can_not_be_read_ends_its_own_watches_and_no_others() {
    let stack = Stack::start().await;
    let (org, superuser) = (stack.organization().await, stack.database.superuser());
    let (bad, good) = (waiting(&org).await, waiting(&org).await);
    let (mut bads, mut goods) =
        (watch(&org, &bad, 2).await.unwrap(), watch(&org, &good, 2).await.unwrap());
    // As a later release may write it.
    let sql = "alter type runtime.event_type add value 'of_the_future'";
    sqlx::query(sql).execute(&superuser).await.unwrap();
    add_events(&superuser, &good, 1, 1).await;
    let mut tx = superuser.begin().await.unwrap();
    for sql in [
        "update runtime.agent_executions set last_event_seq = 2 where id = $1::uuid",
        "insert into runtime.execution_events (org_id, execution_id, seq, event_type)
         select org_id, id, 2, 'of_the_future' from runtime.agent_executions where id = $1::uuid",
    ] {
        sqlx::query(sql).bind(&bad).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (seen, end) = timeout(Duration::from_secs(5), rest(&mut bads)).await.unwrap();
    assert!(seen.is_empty());
    assert_error(&end.unwrap(), Code::Internal, Reason::Internal, None);
    let cancel = json!({ "id": good });
    org.developer().call("ExecutionService/CancelExecution", cancel).await.unwrap();
    let (seen, end) = timeout(Duration::from_secs(5), rest(&mut goods)).await.unwrap();
    assert!(end.is_none(), "{end:?}");
    assert_eq!(seen, [2, 3]);
}
