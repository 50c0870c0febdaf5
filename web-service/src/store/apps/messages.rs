//! What people and hired employees write to each other, in threads: about a task, with an employee, or below another message.

use crate::{
    resource::{Get, Rules, resource},
    store::enums::MessageAuthor,
};
use chrono::{DateTime, Utc};
use shared_db::{
    error::{Error, Result},
    ids::{HiredEmployeeId, MessageId, OrganizationId, TaskId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// What people and hired employees write to each other, in threads: about a task, with an employee, or below another message.
    Message in web.messages, tenant, rules, verbs(get, list, create, delete) {
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
        let Some(thread) = new.thread_id else { return Ok(()) };
        let first = Message::get(conn, org, thread).await?;
        if let Some(id) = first.thread_id {
            let problem = format!("is a message within a thread; the thread is {id}");
            return Err(Error::invalid("message.thread_id", problem));
        }
        new.task_id = new.task_id.or(first.task_id);
        new.hired_employee_id = new.hired_employee_id.or(first.hired_employee_id);
        Ok(())
    }
}

/// Marks messages as read, or as unread. What is read already keeps its time. An error names the first that is not there.
pub async fn mark(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[MessageId],
    read: bool,
) -> Result<Vec<Message>> {
    let uuids: Vec<_> = ids.iter().map(|it| it.0).collect();
    sqlx::query!(
        "update web.messages
         set read_at = case when $3 then coalesce(read_at, now()) end
         where org_id = $1 and id = any($2)",
        org.0,
        &uuids,
        read,
    )
    .execute(&mut *conn)
    .await?;
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        all.push(Message::get(conn, org, *id).await?);
    }
    Ok(all)
}
