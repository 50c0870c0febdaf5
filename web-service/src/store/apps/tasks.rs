//! What somebody has to do: a member of the organization, or an employee that it has hired.

use crate::{
    resource::{Get, Rules, resource},
    store::{apps::files, enums::TaskStatus},
};
use chrono::{DateTime, Utc};
use shared_db::{
    error::{Error, Result},
    ids::{FileId, HiredEmployeeId, OrganizationId, ProjectId, TaskId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// What somebody has to do: a member of the organization, or an employee that it has hired.
    Task in web.tasks, tenant, soft_delete, rules, verbs(get, batch_get, list, create, update, delete) {
        project_id: Option<ProjectId>,
        #[fixed] parent_task_id: Option<TaskId>,
        title: String,
        description: String,
        status: TaskStatus,
        priority: i32,
        due_at as due_time: Option<DateTime<Utc>>,
        assignee_user_id: Option<UserId>,
        assignee_employee_id: Option<HiredEmployeeId>,
        tags: Vec<String>,
        screenshot_file_ids: Vec<FileId>,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        project_id: ProjectId = "project_id = ?",
        parent_task_id: TaskId = "parent_task_id = ?",
        assignee_user_id: UserId = "assignee_user_id = ?",
        assignee_employee_id: HiredEmployeeId = "assignee_employee_id = ?",
        unassigned: Flag = "(assignee_user_id is null and assignee_employee_id is null)",
        status: TaskStatus = "status = ?",
        tag: String = "tags @> array[?]",
        due_after: DateTime<Utc> = "due_at >= ?",
        due_before: DateTime<Utc> = "due_at < ?",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
    }
    orders {
        "create_time desc" = created_at,
        "update_time desc" = updated_at,
        "due_time" = due_at,
    }
}

/// Neither urgent nor not.
const PRIORITY_DEFAULT: i32 = 3;

impl Rules for Task {
    async fn creating(
        conn: &mut PgConnection,
        org: OrganizationId,
        new: &mut NewTask,
    ) -> Result<()> {
        if let Some(parent) = new.parent_task_id {
            Self::get(conn, org, parent).await?;
        }
        screenshots_exist(conn, org, &new.screenshot_file_ids).await?;
        if new.priority == 0 {
            new.priority = PRIORITY_DEFAULT;
        }
        one_assignee(new.assignee_user_id, new.assignee_employee_id)
    }

    async fn updating(
        conn: &mut PgConnection,
        org: OrganizationId,
        _: TaskId,
        patch: &mut TaskPatch,
    ) -> Result<()> {
        screenshots_exist(conn, org, patch.screenshot_file_ids.as_deref().unwrap_or_default())
            .await?;
        if patch.priority == Some(0) {
            patch.priority = Some(PRIORITY_DEFAULT);
        }
        // Whoever is named next takes over from whoever had it.
        match (patch.assignee_user_id, patch.assignee_employee_id) {
            (Some(Some(_)), None) => patch.assignee_employee_id = Some(None),
            (None, Some(Some(_))) => patch.assignee_user_id = Some(None),
            _ => {}
        }
        one_assignee(patch.assignee_user_id.flatten(), patch.assignee_employee_id.flatten())
    }
}

/// The schema says the same of what was there before; here it is said to callers.
fn one_assignee(user: Option<UserId>, employee: Option<HiredEmployeeId>) -> Result<()> {
    if user.is_some() && employee.is_some() {
        let problem = "a task has one assignee: leave this or assignee_user_id out";
        return Err(Error::invalid("task.assignee_employee_id", problem));
    }
    Ok(())
}

/// Pictures are files of the organization; one that is deleted later is passed over by whoever shows them.
async fn screenshots_exist(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[FileId],
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let found = files::get_many(conn, org, ids).await?;
    match ids.iter().find(|id| found.iter().all(|it| it.id != **id)) {
        Some(id) => Err(Error::not_found("file", id)),
        None => Ok(()),
    }
}
