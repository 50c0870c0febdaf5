//! What was deleted goes for good when it can not be undeleted any more, and takes nothing along that nobody has deleted.

use super::files::{count, until_count};
use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use sqlx::AssertSqlSafe;
use tonic::Code;

const KINDS: [&str; 3] = ["Note", "Task", "Sheet"];

async fn make(org: &Org, kind: &str, fields: Value) -> String {
    let request = json!({ kind.to_lowercase(): fields });
    made(&org.developer(), &format!("{kind}Service/Create{kind}"), request).await
}

async fn call(org: &Org, verb: &str, kind: &str, id: &str) -> Result<Value, tonic::Status> {
    let method = format!("{kind}Service/{verb}{kind}");
    org.developer().call(&method, json!({ "id": id })).await
}

fn table(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

/// A day passes for all that is deleted.
async fn a_day_later(stack: &Stack) {
    for kind in KINDS {
        let table = table(kind);
        let sql = format!("update web.{table} set deleted_at = deleted_at - interval '1 day'");
        sqlx::query(AssertSqlSafe(sql)).execute(&stack.database.superuser()).await.unwrap();
    }
}

#[tokio::test]
async fn notes_tasks_and_sheets_come_back_until_they_are_removed() {
    let stack = Stack::builder()
        .without_runtime()
        .set_web("FILES_UNDELETE_WINDOW", "24h")
        .set_web("FILES_SWEEP_INTERVAL", "50ms")
        .start()
        .await;
    let org = stack.organization().await;
    let mut old = Vec::new();
    for kind in KINDS {
        let field = if kind == "Sheet" { "name" } else { "title" };
        let named = json!({ field: "N" });
        let (gone, kept) = (make(&org, kind, named.clone()).await, make(&org, kind, named).await);
        call(&org, "Delete", kind, &gone).await.unwrap();
        old.push((kind, gone, kept));
    }
    let (task, sheet) = (&old[1].1, &old[2].1);
    let version = "insert into web.sheet_versions (org_id, id, sheet_id)
        select org_id, gen_random_uuid(), id from web.sheets where id = $1::uuid";
    let message = "insert into web.messages (org_id, id, task_id, body)
        select org_id, gen_random_uuid(), id, 'M' from web.tasks where id = $1::uuid";
    let below = "insert into web.tasks (org_id, id, parent_task_id, title)
        select org_id, gen_random_uuid(), id, 'below' from web.tasks where id = $1::uuid";
    for (sql, id) in [(version, sheet), (message, task), (below, task)] {
        sqlx::query(sql).bind(id).execute(&stack.database.superuser()).await.unwrap();
    }
    a_day_later(&stack).await;
    // Of tasks one is left, and the subtask of the other.
    for (kind, left) in KINDS.iter().zip([1, 2, 1]) {
        until_count(&stack, &table(kind), left).await;
    }
    assert_eq!((count(&stack, "messages").await, count(&stack, "sheet_versions").await), (0, 0));
    let below = "select count(*) from web.tasks where title = 'below' and parent_task_id is null";
    let below: i64 =
        sqlx::query_scalar(below).fetch_one(&stack.database.superuser()).await.unwrap();
    assert_eq!(below, 1, "a subtask stays");
    for (kind, gone, kept) in &old {
        let result = call(&org, "Undelete", kind, gone).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
        // Within the window nothing is lost, however often somebody has looked.
        call(&org, "Delete", kind, kept).await.unwrap();
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    for (kind, _, kept) in &old {
        call(&org, "Undelete", kind, kept).await.unwrap();
    }
}
