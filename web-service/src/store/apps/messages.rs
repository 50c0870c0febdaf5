//! What people and hired employees write to each other, in threads: about a task, with an employee, or below another message.

use crate::{
    resource::{Get, Rules, Trail, resource},
    store::{apps::tasks::Task, enums::MessageAuthor},
};
use chrono::{DateTime, Utc};
use shared_db::{
    error::{Error, Result},
    ids::{ActivityId, HiredEmployeeId, MessageId, OrganizationId, TaskId, UserId},
};
use sqlx::PgConnection;
use std::fmt::Display;

resource! {
    /// What people and hired employees write to each other, in threads: about a task, with an employee, or below another message.
    // What is about a task goes and comes back with it. A value and no `exists`, which the planner could turn into a walk through all tasks.
    Message in web.messages, tenant, rules, verbs(get, batch_get, list, create, delete), visible(
        "(task_id is null or (select t.deleted_at is null from web.tasks as t where t.org_id = messages.org_id and t.id = messages.task_id))"
    ) {
        #[fixed] thread_id: Option<MessageId>,
        #[fixed] task_id: Option<TaskId>,
        #[fixed] hired_employee_id: Option<HiredEmployeeId>,
        #[fixed] author: MessageAuthor,
        body: String,
        #[given] read_at as read_time: Option<DateTime<Utc>>,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        thread_id: MessageId = "(thread_id = ? or id = ?)",
        task_id: TaskId = "task_id = ?",
        hired_employee_id: HiredEmployeeId = "hired_employee_id = ?",
        unread: Flag = "read_at is null",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
        create_time_from: DateTime<Utc> = "created_at >= ?",
        create_time_before: DateTime<Utc> = "created_at < ?",
    }
    orders {
        "create_time desc" = created_at,
        "create_time" = created_at,
    }
}

impl Rules for Message {
    /// A thread is flat: what is said in it names its first message, and is about the same.
    async fn creating(
        conn: &mut PgConnection,
        org: OrganizationId,
        new: &mut NewMessage,
    ) -> Result<()> {
        if let Some(thread) = new.thread_id {
            let first = Message::get(conn, org, thread).await?;
            if let Some(id) = first.thread_id {
                let problem = format!("is a message within a thread; the thread is {id}");
                return Err(Error::invalid("message.thread_id", problem));
            }
            new.task_id = as_in_thread("message.task_id", new.task_id, first.task_id)?;
            let (own, first) = (new.hired_employee_id, first.hired_employee_id);
            new.hired_employee_id = as_in_thread("message.hired_employee_id", own, first)?;
        }
        match new.task_id {
            Some(task) => Task::get(conn, org, task).await.map(drop),
            None => Ok(()),
        }
    }
}

/// What a message in a thread is about. Where the thread is about nothing it is for the message to say.
fn as_in_thread<T: Display + PartialEq>(
    field: &'static str,
    own: Option<T>,
    first: Option<T>,
) -> Result<Option<T>> {
    match (own, first) {
        (Some(own), Some(first)) if own != first => {
            Err(Error::invalid(field, format!("is {first} in this thread; leave it out")))
        }
        (own, first) => Ok(own.or(first)),
    }
}

/// Marks messages as read, or as unread, and writes a line of the audit trail for each. What is read already keeps its time.
pub async fn mark(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[MessageId],
    read: bool,
    trail: &Trail,
) -> Result<()> {
    let lines: Vec<_> = ids.iter().map(|it| (it.0, ActivityId::generate().0)).collect();
    let (messages, activities): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    sqlx::query!(
        "with marked as (
             update web.messages
             set read_at = case when $3 then coalesce(read_at, now()) end
             where org_id = $1 and id = any($2)
             returning id
         )
         insert into web.activities
             (org_id, id, actor_user_id, actor_api_key_id, action, resource_type, resource_id, fields, trace_id)
         select $1, it.activity, $5, $6, $7, 'message', marked.id, '{read_time}', $8
         from unnest($2::uuid[], $4::uuid[]) as it (message, activity)
         join marked on marked.id = it.message",
        org.0,
        &messages,
        read,
        &activities,
        trail.user.map(|it| it.0),
        trail.api_key.map(|it| it.0),
        trail.action,
        trail.trace_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
