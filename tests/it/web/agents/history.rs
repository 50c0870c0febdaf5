//! Watching what is no longer there: events that were dropped, and executions that are gone.

use super::{add_events, rest, waiting, watch, world};
use freehold_tests::errors::{assert_error, assert_fails};
use serde_json::json;
use shared_db::error::Reason;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// As retention does.
async fn drop_events(superuser: &PgPool, id: &str, up_to: i64) {
    sqlx::query("delete from runtime.execution_events where execution_id = $1::uuid and seq <= $2")
        .bind(id)
        .bind(up_to)
        .execute(superuser)
        .await
        .unwrap();
}

#[track_caller]
fn assert_truncated(result: Result<impl std::fmt::Debug, Status>, first_seq: i64) {
    let status = assert_fails(result, Code::OutOfRange, Reason::HistoryTruncated, None);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["first_seq"], first_seq.to_string(), "{status:?}");
}

#[tokio::test]
async fn a_watch_from_before_the_first_kept_event_says_where_history_begins() {
    let (stack, org) = world().await;
    let superuser = stack.database.superuser();
    let id = waiting(&org).await;
    add_events(&superuser, &id, 9, 1).await;
    drop_events(&superuser, &id, 4).await;
    for from in [0, 1, 4] {
        assert_truncated(watch(&org, &id, from).await, 5);
    }
    let mut events = watch(&org, &id, 5).await.unwrap();
    org.developer().call("ExecutionService/CancelExecution", json!({ "id": id })).await.unwrap();
    let (seen, end) = rest(&mut events).await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!(seen, (5..=11).collect::<Vec<_>>());

    // When none is kept, history begins with what is still to come, or with the end.
    drop_events(&superuser, &id, 11).await;
    assert_truncated(watch(&org, &id, 5).await, 12);
    let (seen, end) = rest(&mut watch(&org, &id, 12).await.unwrap()).await;
    assert!(end.is_none() && seen.is_empty(), "{seen:?} {end:?}");
}

#[tokio::test]
async fn a_watch_that_waits_learns_that_its_execution_was_removed() {
    let (stack, org) = world().await;
    let superuser = stack.database.superuser();
    let id = waiting(&org).await;
    let mut events = watch(&org, &id, 2).await.unwrap();
    for table in ["execution_queue where execution_id", "agent_executions where id"] {
        let sql = format!("delete from runtime.{table} = '{id}'");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&superuser).await.unwrap();
    }
    let (seen, end) = timeout(Duration::from_secs(5), rest(&mut events)).await.unwrap();
    assert!(seen.is_empty());
    assert_error(&end.unwrap(), Code::NotFound, Reason::ResourceNotFound, None);
}
