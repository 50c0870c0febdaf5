//! What people send each other, and when they meet.

use super::needed::{made, offer};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

pub(crate) struct Messages;

impl Resource for Messages {
    const KIND: &'static str = "Message";
    const PLURAL: &'static str = "Messages";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "message": made(&org.developer(), "MessageService/CreateMessage", json!({ "message": { "body": "Hello" } })).await,
            "employee": made(&org.admin(), "HiredEmployeeService/HireEmployee", json!({ "virtual_employee_id": offer(org).await })).await,
            "task": made(&org.developer(), "TaskService/CreateTask", json!({ "task": { "title": "T" } })).await,
        })
    }

    async fn finish(writer: &Caller, created: Value, rest: Value) -> Value {
        let mark = json!({ "ids": [created["id"]], "read": rest["read"] });
        writer.call("MessageService/MarkMessages", mark).await.unwrap()["messages"][0].take()
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "thread_id": given["message"],
            "task_id": given["task"],
            "author": "MESSAGE_AUTHOR_PERSON",
            "body": "Some text",
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "thread_id": given["message"] }),
                json!({}),
                json!({ "thread_id": null }),
            ),
            sieve(json!({ "task_id": given["task"] }), json!({}), json!({ "task_id": null })),
            sieve(
                json!({ "hired_employee_id": given["employee"] }),
                json!({ "hired_employee_id": given["employee"] }),
                json!({}),
            ),
            sieve(json!({ "unread": true }), json!({}), json!({ "read": true })),
            sieve(json!({ "query": "needle" }), json!({ "body": "A needle" }), json!({})),
        ]
    }
}

pub(crate) struct CalendarEvents;

impl Resource for CalendarEvents {
    const KIND: &'static str = "CalendarEvent";
    const PLURAL: &'static str = "CalendarEvents";

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "title": "Some text",
            "description": "Some text",
            "location": "Some text",
            "start_time": "2026-11-01T10:00:00Z",
            "end_time": "2026-11-01T12:00:00Z",
            "all_day": true,
            "attendees": ["a@example.test"],
            "recurrence": "FREQ=WEEKLY;COUNT=4",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "title": "Other text",
            "description": "Other text",
            "location": "Other text",
            "start_time": "2026-11-01T11:00:00Z",
            "end_time": "2026-11-01T13:00:00Z",
            "all_day": false,
            "attendees": ["b@example.test"],
            "recurrence": "FREQ=DAILY",
        })
    }

    fn list_scope(_: &Value) -> Value {
        json!({ "order_by": "create_time desc" })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "ends_after": "2026-11-01T12:00:00Z" }),
                json!({ "end_time": "2026-11-01T12:00:01Z" }),
                json!({}),
            ),
            sieve(
                json!({ "starts_before": "2026-11-01T10:00:00Z" }),
                json!({ "start_time": "2026-11-01T09:59:59Z" }),
                json!({}),
            ),
            sieve(json!({ "query": "needle" }), json!({ "title": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "location": "A needle" }), json!({})),
        ]
    }
}

pub(crate) struct Emails;

impl Resource for Emails {
    const KIND: &'static str = "Email";
    const PLURAL: &'static str = "Emails";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "folder": "EMAIL_FOLDER_INBOX",
            "from_address": "Some text",
            "to_addresses": ["one", "two"],
            "cc_addresses": ["one", "two"],
            "subject": "Some text",
            "body": "Some text",
            "message_id": name,
            "conversation": "Some text",
            "labels": ["one", "two"],
            "read": true,
            "starred": true,
            "sent_time": "2026-11-01T10:00:00Z",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "folder": "EMAIL_FOLDER_DRAFTS",
            "from_address": "Other text",
            "to_addresses": ["three"],
            "cc_addresses": ["three"],
            "subject": "Other text",
            "body": "Other text",
            "message_id": "other@example.test",
            "conversation": "Other text",
            "labels": ["three"],
            "read": false,
            "starred": false,
            "sent_time": "2026-12-01T10:00:00Z",
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "folder": "EMAIL_FOLDER_SENT" }),
                json!({ "folder": "EMAIL_FOLDER_SENT" }),
                json!({}),
            ),
            sieve(
                json!({ "conversation": "Plans" }),
                json!({ "conversation": "Plans" }),
                json!({}),
            ),
            sieve(json!({ "unread": true }), json!({ "read": false }), json!({})),
            sieve(json!({ "starred": true }), json!({}), json!({ "starred": false })),
            sieve(json!({ "starred": false }), json!({ "starred": false }), json!({})),
            sieve(json!({ "label": "one" }), json!({}), json!({ "labels": ["two"] })),
            sieve(
                json!({ "sent_time_from": "2026-11-01T10:00:00Z" }),
                json!({}),
                json!({ "sent_time": "2026-11-01T09:59:59Z" }),
            ),
            sieve(
                json!({ "sent_time_from": "2026-11-01T10:00:00Z" }),
                json!({}),
                json!({ "sent_time": null }),
            ),
            sieve(
                json!({ "sent_time_before": "2026-11-01T10:00:00Z" }),
                json!({ "sent_time": "2026-11-01T09:59:59Z" }),
                json!({}),
            ),
            sieve(
                json!({ "sent_time_before": "2026-11-01T10:00:00Z" }),
                json!({ "sent_time": "2026-11-01T09:59:59Z" }),
                json!({ "sent_time": null }),
            ),
            sieve(json!({ "query": "needle" }), json!({ "subject": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "body": "A needle" }), json!({})),
        ]
    }
}
