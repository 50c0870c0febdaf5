//! Tasks: who has to do them, and by when.

use crate::conformance::resources::needed::{made, offer};
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

async fn task(org: &Org, task: Value) -> String {
    made(&org.developer(), "TaskService/CreateTask", json!({ "task": task })).await
}

async fn get(org: &Org, id: &str) -> Value {
    org.viewer().call("TaskService/GetTask", json!({ "id": id })).await.unwrap()
}

async fn titles(org: &Org, list: Value) -> Vec<String> {
    let list = org.viewer().call("TaskService/ListTasks", list).await.unwrap();
    let title = |it: &Value| it["title"].as_str().unwrap().to_owned();
    list["tasks"].as_array().into_iter().flatten().map(title).collect()
}

async fn file(org: &Org) -> String {
    // "hello"
    let upload = json!({ "file": { "name": "picture.png" }, "chunk": "aGVsbG8=" });
    made(&org.developer(), "FileService/UploadFile", upload).await
}

async fn employee(org: &Org) -> String {
    let hire = json!({ "virtual_employee_id": offer(org).await });
    made(&org.admin(), "HiredEmployeeService/HireEmployee", hire).await
}

#[tokio::test]
async fn a_task_has_one_assignee_and_is_handed_over_by_naming_the_next() {
    let org = Stack::shared().await.organization().await;
    let employee = employee(&org).await;
    let user = &org.viewer.user_id;
    let both = json!({ "title": "T", "assignee_user_id": user, "assignee_employee_id": employee });
    let result = org.developer().call("TaskService/CreateTask", json!({ "task": both })).await;
    let field = "task.assignee_employee_id";
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    let id = task(&org, json!({ "title": "T", "assignee_user_id": user })).await;
    let hand = json!({ "task": { "id": id, "assignee_employee_id": employee }, "update_mask": ["assignee_employee_id"] });
    let handed = org.developer().call("TaskService/UpdateTask", hand).await.unwrap();
    assert_eq!(handed["assignee_employee_id"], json!(employee));
    assert!(handed["assignee_user_id"].is_null(), "whoever had it has it no more: {handed:#}");
}

#[tokio::test]
async fn nothing_new_is_below_a_deleted_task_or_about_it() {
    let org = Stack::shared().await.organization().await;
    let gone = task(&org, json!({ "title": "T" })).await;
    let say = async |message: Value| {
        let request = json!({ "message": message });
        org.developer().call("MessageService/CreateMessage", request).await
    };
    let thread = say(json!({ "body": "First", "task_id": gone })).await.unwrap();
    let id = json!({ "id": gone });
    org.developer().call("TaskService/DeleteTask", id.clone()).await.unwrap();
    let below = async || {
        let below = json!({ "task": { "title": "U", "parent_task_id": gone } });
        org.developer().call("TaskService/CreateTask", below).await
    };
    assert_fails(below().await, Code::NotFound, Reason::ResourceNotFound, None);
    for message in [json!({ "task_id": gone }), json!({ "thread_id": thread["id"] })] {
        let mut message = message;
        message["body"] = json!("Second");
        assert_fails(say(message).await, Code::NotFound, Reason::ResourceNotFound, None);
    }
    org.developer().call("TaskService/UndeleteTask", id).await.unwrap();
    below().await.unwrap();
    say(json!({ "body": "Second", "thread_id": thread["id"] })).await.unwrap();
}

#[tokio::test]
async fn whoever_leaves_leaves_their_tasks_behind() {
    let org = Stack::shared().await.organization().await;
    let employee = employee(&org).await;
    let of_user = task(&org, json!({ "title": "U", "assignee_user_id": org.viewer.user_id })).await;
    let of_employee = task(&org, json!({ "title": "E", "assignee_employee_id": employee })).await;
    assert!(titles(&org, json!({ "unassigned": true })).await.is_empty());
    let leave = json!({ "user_id": org.viewer.user_id });
    org.admin().call("MemberService/RemoveMember", leave).await.unwrap();
    let dismiss = json!({ "id": employee });
    org.admin().call("HiredEmployeeService/DeleteHiredEmployee", dismiss).await.unwrap();
    let list = org.developer().call("TaskService/ListTasks", json!({ "unassigned": true })).await;
    let list = list.unwrap();
    let ids: Vec<_> = list["tasks"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(json!(ids), json!([of_employee, of_user]));
}

#[tokio::test]
async fn nobody_outside_the_organization_is_an_assignee() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    for (field, id) in [
        ("assignee_user_id", other.viewer.user_id.clone()),
        ("assignee_employee_id", employee(&other).await),
    ] {
        let stray = json!({ "task": { "title": "T", field: id } });
        let result = org.developer().call("TaskService/CreateTask", stray).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
}

#[tokio::test]
async fn what_is_due_first_comes_first_and_what_is_never_due_last() {
    let org = Stack::shared().await.organization().await;
    task(&org, json!({ "title": "some day" })).await;
    task(&org, json!({ "title": "or never" })).await;
    for (title, day) in [("third", 3), ("first", 1), ("second", 2)] {
        let due = format!("2026-12-0{day}T00:00:00Z");
        task(&org, json!({ "title": title, "due_time": due })).await;
    }
    let mut seen = Vec::new();
    let mut token = json!("");
    loop {
        let list = json!({ "order_by": "due_time", "page_size": 1, "page_token": token });
        let page = org.viewer().call("TaskService/ListTasks", list).await.unwrap();
        seen.push(page["tasks"][0]["title"].as_str().unwrap().to_owned());
        token = page["next_page_token"].clone();
        if token.as_str().unwrap_or_default().is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["first", "second", "third", "some day", "or never"]);
    let between =
        json!({ "due_after": "2026-12-02T00:00:00Z", "due_before": "2026-12-03T00:00:00Z" });
    assert_eq!(titles(&org, between).await, ["second"]);
}

#[tokio::test]
async fn a_task_without_a_priority_has_the_middle_one() {
    let org = Stack::shared().await.organization().await;
    let id = task(&org, json!({ "title": "T" })).await;
    assert_eq!(get(&org, &id).await["priority"], 3);
    let set = async |priority: i32| {
        let task = json!({ "id": id, "priority": priority });
        let request = json!({ "task": task, "update_mask": ["priority"] });
        org.developer().call("TaskService/UpdateTask", request).await
    };
    assert_eq!(set(1).await.unwrap()["priority"], 1);
    assert_eq!(set(0).await.unwrap()["priority"], 3);
    for wrong in [-1, 6] {
        assert_fails(
            set(wrong).await,
            Code::InvalidArgument,
            Reason::InvalidField,
            "task.priority",
        );
    }
}

#[tokio::test]
async fn filters_are_those_of_a_board() {
    let org = Stack::shared().await.organization().await;
    let project = json!({ "project": { "name": "P" } });
    let project = made(&org.developer(), "ProjectService/CreateProject", project).await;
    let whole =
        task(&org, json!({ "title": "whole", "project_id": project, "tags": ["now"] })).await;
    task(&org, json!({ "title": "part", "parent_task_id": whole, "status": "TASK_STATUS_DONE" }))
        .await;
    assert_eq!(titles(&org, json!({ "project_id": project })).await, ["whole"]);
    assert_eq!(titles(&org, json!({ "parent_task_id": whole })).await, ["part"]);
    assert_eq!(titles(&org, json!({ "status": "TASK_STATUS_DONE" })).await, ["part"]);
    assert_eq!(
        titles(&org, json!({ "status": "TASK_STATUS_TODO", "tag": "now" })).await,
        ["whole"]
    );
    assert_eq!(titles(&org, json!({ "query": "part" })).await, ["part"]);
    let delete = json!({ "id": project });
    let result = org.developer().call("ProjectService/DeleteProject", delete).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
}

#[tokio::test]
async fn a_project_goes_when_its_tasks_are_deleted_and_they_come_back_without_it() {
    let org = Stack::shared().await.organization().await;
    let project = json!({ "project": { "name": "P" } });
    let project = made(&org.developer(), "ProjectService/CreateProject", project).await;
    let id = json!({ "id": task(&org, json!({ "title": "T", "project_id": project })).await });
    org.developer().call("TaskService/DeleteTask", id.clone()).await.unwrap();
    let delete = json!({ "id": project });
    org.developer().call("ProjectService/DeleteProject", delete).await.unwrap();
    let back = org.developer().call("TaskService/UndeleteTask", id).await.unwrap();
    assert!(back["project_id"].is_null(), "{back:#}");
}

#[tokio::test]
async fn pictures_of_a_task_are_files_of_its_organization() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let (ours, theirs) = (file(&org).await, file(&other).await);
    let id = task(&org, json!({ "title": "T", "screenshot_file_ids": [ours] })).await;
    let stray = json!({ "task": { "title": "T", "screenshot_file_ids": [ours, theirs] } });
    let change = json!({ "task": { "id": id, "screenshot_file_ids": [theirs] }, "update_mask": ["screenshot_file_ids"] });
    for (method, request) in [("CreateTask", stray), ("UpdateTask", change)] {
        let result = org.developer().call(&format!("TaskService/{method}"), request).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    assert_eq!(get(&org, &id).await["screenshot_file_ids"], json!([ours]));
}
