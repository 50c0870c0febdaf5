//! Projects and their tasks.

use super::needed::{made, offer};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::stack::{Org, Stack};
use serde_json::{Value, json};

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
