//! What people of an organization work with.

use super::needed::{made, offer};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

pub(crate) struct NoteFolders;

impl Resource for NoteFolders {
    const KIND: &'static str = "NoteFolder";
    const PLURAL: &'static str = "NoteFolders";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "a" } })).await,
            "other_folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "b" } })).await,
        })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "parent_id": given["folder"],
            "name": name,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "parent_id": given["other_folder"],
            "name": "Renamed",
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "parent_id": given["folder"] }), json!({}), json!({ "parent_id": null })),
            sieve(json!({ "top": true }), json!({ "parent_id": null }), json!({})),
        ]
    }
}

pub(crate) struct Notes;

impl Resource for Notes {
    const KIND: &'static str = "Note";
    const PLURAL: &'static str = "Notes";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "notes" } })).await,
            "other_folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "other notes" } })).await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "folder_id": given["folder"],
            "title": "Some text",
            "body": "Some text",
            "tags": ["one", "two"],
            "pinned": true,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "folder_id": given["other_folder"],
            "title": "Other text",
            "body": "Other text",
            "tags": ["three"],
            "pinned": false,
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "folder_id": given["folder"] }),
                json!({}),
                json!({ "folder_id": given["other_folder"] }),
            ),
            sieve(json!({ "top": true }), json!({ "folder_id": null }), json!({})),
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(json!({ "pinned": true }), json!({}), json!({ "pinned": false })),
            sieve(json!({ "pinned": false }), json!({ "pinned": false }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "title": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "body": "A needle" }), json!({})),
        ]
    }
}

pub(crate) struct Projects;

impl Resource for Projects {
    const KIND: &'static str = "Project";
    const PLURAL: &'static str = "Projects";

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "name": "Some text",
            "description": "Some text",
            "status": "PROJECT_STATUS_ACTIVE",
            "start_time": "2026-11-01T10:00:00Z",
            "due_time": "2026-12-01T10:00:00Z",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "description": "Other text",
            "status": "PROJECT_STATUS_PAUSED",
            "start_time": "2026-11-02T10:00:00Z",
            "due_time": "2026-12-02T10:00:00Z",
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "status": "PROJECT_STATUS_PAUSED" }),
            json!({ "status": "PROJECT_STATUS_PAUSED" }),
            json!({}),
        )]
    }
}

pub(crate) struct Tasks;

impl Resource for Tasks {
    const KIND: &'static str = "Task";
    const PLURAL: &'static str = "Tasks";
    const NEVER_CHANGED: &'static [&'static str] = &["assignee_employee_id"];

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "project": made(&org.developer(), "ProjectService/CreateProject", json!({ "project": { "name": "P" } })).await,
            "other_project": made(&org.developer(), "ProjectService/CreateProject", json!({ "project": { "name": "Q" } })).await,
            "task": made(&org.developer(), "TaskService/CreateTask", json!({ "task": { "title": "T" } })).await,
            "employee": made(&org.admin(), "HiredEmployeeService/HireEmployee", json!({ "virtual_employee_id": offer(org).await })).await,
            "user": org.viewer.user_id,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "project_id": given["project"],
            "parent_task_id": given["task"],
            "title": "Some text",
            "description": "Some text",
            "status": "TASK_STATUS_TODO",
            "priority": 2,
            "due_time": "2026-11-01T10:00:00Z",
            "assignee_user_id": given["user"],
            "tags": ["one", "two"],
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "project_id": given["other_project"],
            "title": "Other text",
            "description": "Other text",
            "status": "TASK_STATUS_IN_PROGRESS",
            "priority": 3,
            "due_time": "2026-12-01T10:00:00Z",
            "assignee_user_id": given["user"],
            "tags": ["three"],
            "screenshot_file_ids": [],
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "project_id": given["project"] }),
                json!({}),
                json!({ "project_id": given["other_project"] }),
            ),
            sieve(
                json!({ "parent_task_id": given["task"] }),
                json!({}),
                json!({ "parent_task_id": null }),
            ),
            sieve(
                json!({ "assignee_user_id": given["user"] }),
                json!({}),
                json!({ "assignee_user_id": null }),
            ),
            sieve(
                json!({ "assignee_employee_id": given["employee"] }),
                json!({ "assignee_user_id": null, "assignee_employee_id": given["employee"] }),
                json!({}),
            ),
            sieve(json!({ "unassigned": true }), json!({ "assignee_user_id": null }), json!({})),
            sieve(
                json!({ "unassigned": true }),
                json!({ "assignee_user_id": null }),
                json!({ "assignee_user_id": null, "assignee_employee_id": given["employee"] }),
            ),
            sieve(
                json!({ "status": "TASK_STATUS_DONE" }),
                json!({ "status": "TASK_STATUS_DONE" }),
                json!({}),
            ),
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(
                json!({ "due_after": "2026-11-01T10:00:00Z" }),
                json!({}),
                json!({ "due_time": "2026-11-01T09:59:59Z" }),
            ),
            sieve(
                json!({ "due_before": "2026-11-01T10:00:00Z" }),
                json!({ "due_time": "2026-11-01T09:59:59Z" }),
                json!({}),
            ),
            sieve(
                json!({ "due_before": "2026-11-01T10:00:00Z" }),
                json!({ "due_time": "2026-11-01T09:59:59Z" }),
                json!({ "due_time": null }),
            ),
            sieve(json!({ "query": "needle" }), json!({ "title": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "description": "A needle" }), json!({})),
        ]
    }
}

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

pub(crate) struct Sheets;

impl Resource for Sheets {
    const KIND: &'static str = "Sheet";
    const PLURAL: &'static str = "Sheets";

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "name": "Some text",
            "description": "Some text",
            "tags": ["one", "two"],
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "description": "Other text",
            "tags": ["three"],
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(json!({ "query": "needle" }), json!({ "name": "A needle" }), json!({})),
            sieve(
                json!({ "query": "text -needle" }),
                json!({}),
                json!({ "name": "Some text and a needle" }),
            ),
        ]
    }
}

pub(crate) struct SheetVersions;

impl Resource for SheetVersions {
    const KIND: &'static str = "SheetVersion";
    const PLURAL: &'static str = "SheetVersions";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "sheet": made(&org.developer(), "SheetService/CreateSheet", json!({ "sheet": { "name": "S" } })).await,
            "other_sheet": made(&org.developer(), "SheetService/CreateSheet", json!({ "sheet": { "name": "T" } })).await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({ "sheet_id": given["sheet"], "content": { "cells": [1, "two"] }, "comment": "First" })
    }

    fn writer(org: &Org) -> Caller {
        org.developer()
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "sheet_id": given["sheet"] }),
            json!({}),
            json!({ "sheet_id": given["other_sheet"] }),
        )]
    }
}

pub(crate) struct WorkspaceItems;

impl Resource for WorkspaceItems {
    const KIND: &'static str = "WorkspaceItem";
    const PLURAL: &'static str = "WorkspaceItems";

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "kind": "WORKSPACE_ITEM_KIND_LINK",
            "title": "Some text",
            "url": "https://example.test/a",
            "section": "Some text",
            "position": 2,
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "title": "Other text",
            "url": "https://example.test/b",
            "section": "Other text",
            "position": 3,
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "kind": "WORKSPACE_ITEM_KIND_NOTE" }),
                json!({ "kind": "WORKSPACE_ITEM_KIND_NOTE", "resource_id": "00000000-0000-7000-8000-000000000001", "url": null }),
                json!({}),
            ),
            sieve(json!({ "section": "Top" }), json!({ "section": "Top" }), json!({})),
        ]
    }
}
