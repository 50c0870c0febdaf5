//! Messages: threads, and what was read.

use crate::conformance::resources::needed::{made, offer};
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

async fn say(org: &Org, message: Value) -> Result<Value, Status> {
    let request = json!({ "message": message });
    org.developer().call("MessageService/CreateMessage", request).await
}

async fn bodies(org: &Org, list: Value) -> Vec<String> {
    let list = org.viewer().call("MessageService/ListMessages", list).await.unwrap();
    let body = |it: &Value| it["body"].as_str().unwrap().to_owned();
    list["messages"].as_array().into_iter().flatten().map(body).collect()
}

#[tokio::test]
async fn a_thread_is_its_first_message_and_what_follows_and_is_about_the_same() {
    let org = Stack::shared().await.organization().await;
    let task = json!({ "task": { "title": "T" } });
    let task = made(&org.developer(), "TaskService/CreateTask", task).await;
    let first = say(&org, json!({ "body": "How far is it?", "task_id": task })).await.unwrap();
    let reply = say(&org, json!({ "body": "Half way", "thread_id": first["id"] })).await.unwrap();
    assert_eq!(reply["task_id"], json!(task), "a reply is about what its thread is about");
    say(&org, json!({ "body": "Elsewhere" })).await.unwrap();
    let thread = json!({ "thread_id": first["id"], "order_by": "create_time" });
    assert_eq!(bodies(&org, thread).await, ["How far is it?", "Half way"]);
    assert_eq!(bodies(&org, json!({ "task_id": task })).await, ["Half way", "How far is it?"]);
    let result = say(&org, json!({ "body": "Why?", "thread_id": reply["id"] })).await;
    let status =
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "message.thread_id");
    assert!(status.message().contains(first["id"].as_str().unwrap()), "it says where: {status:?}");
    let delete = json!({ "id": first["id"] });
    org.developer().call("MessageService/DeleteMessage", delete).await.unwrap();
    assert_eq!(bodies(&org, json!({})).await, ["Elsewhere"], "a thread goes with its beginning");
}

#[tokio::test]
async fn a_reply_is_about_nothing_else_than_its_thread() {
    let org = Stack::shared().await.organization().await;
    let task = async || {
        let task = json!({ "task": { "title": "T" } });
        made(&org.developer(), "TaskService/CreateTask", task).await
    };
    let employee = async || {
        let hire = json!({ "virtual_employee_id": offer(&org).await });
        made(&org.admin(), "HiredEmployeeService/HireEmployee", hire).await
    };
    let (own, with) = (task().await, employee().await);
    let first = json!({ "body": "First", "task_id": own, "hired_employee_id": with });
    let first = say(&org, first).await.unwrap();
    let other = [("task_id", task().await), ("hired_employee_id", employee().await)];
    for (name, other) in other {
        let reply = json!({ "body": "Second", "thread_id": first["id"], name: other });
        let field = format!("message.{name}");
        let result = say(&org, reply).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field.as_str());
    }
    let same = json!({ "body": "Second", "thread_id": first["id"], "task_id": own });
    assert_eq!(say(&org, same).await.unwrap()["hired_employee_id"], json!(with));
}

#[tokio::test]
async fn messages_are_marked_as_read_and_unread_all_or_none() {
    let org = Stack::shared().await.organization().await;
    let one = say(&org, json!({ "body": "one" })).await.unwrap();
    let two = say(&org, json!({ "body": "two" })).await.unwrap();
    let mark = async |ids: Value, read: bool| {
        let request = json!({ "ids": ids, "read": read });
        org.developer().call("MessageService/MarkMessages", request).await
    };
    let unread = async || bodies(&org, json!({ "unread": true })).await;
    assert_eq!(unread().await, ["two", "one"]);
    let marked = mark(json!([one["id"]]), true).await.unwrap();
    let read_time = marked["messages"][0]["read_time"].clone();
    assert!(read_time.is_string());
    assert_eq!(unread().await, ["two"]);
    let again = mark(json!([one["id"]]), true).await.unwrap();
    assert_eq!(again["messages"][0]["read_time"], read_time, "it was read when it was read");
    let never = shared_db::ids::MessageId::generate().to_string();
    let result = mark(json!([two["id"], never]), true).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    assert_eq!(unread().await, ["two"], "nothing is half marked");
    mark(json!([one["id"]]), false).await.unwrap();
    assert_eq!(unread().await, ["two", "one"]);
}

#[tokio::test]
async fn an_employee_who_writes_is_named() {
    let org = Stack::shared().await.organization().await;
    let message = json!({ "body": "Done", "author": "MESSAGE_AUTHOR_EMPLOYEE" });
    let result = say(&org, message).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "message.hired_employee_id");
}

#[tokio::test]
async fn messages_about_a_task_go_and_come_back_with_it() {
    let org = Stack::shared().await.organization().await;
    let task = json!({ "task": { "title": "T" } });
    let task = made(&org.developer(), "TaskService/CreateTask", task).await;
    let first = say(&org, json!({ "body": "How far is it?", "task_id": task })).await.unwrap();
    say(&org, json!({ "body": "Half way", "thread_id": first["id"] })).await.unwrap();
    say(&org, json!({ "body": "Elsewhere" })).await.unwrap();
    let id = json!({ "id": task });
    org.developer().call("TaskService/DeleteTask", id.clone()).await.unwrap();
    assert_eq!(bodies(&org, json!({})).await, ["Elsewhere"]);
    assert_eq!(bodies(&org, json!({ "task_id": task })).await, Vec::<String>::new());
    let message = json!({ "id": first["id"] });
    for (method, request) in [
        ("GetMessage", message.clone()),
        ("MarkMessages", json!({ "ids": [first["id"]], "read": true })),
        ("DeleteMessage", message.clone()),
    ] {
        let result = org.developer().call(&format!("MessageService/{method}"), request).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let reply = say(&org, json!({ "body": "Why?", "thread_id": first["id"] })).await;
    assert_fails(reply, Code::NotFound, Reason::ResourceNotFound, None);
    org.developer().call("TaskService/UndeleteTask", id).await.unwrap();
    org.viewer().call("MessageService/GetMessage", message).await.unwrap();
    let all = bodies(&org, json!({})).await;
    assert_eq!(all, ["Elsewhere", "Half way", "How far is it?"]);
}
