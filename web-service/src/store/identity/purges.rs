//! Purges: what was asked for, how far it has come, and the receipt. They belong to nobody: for a transaction of the platform.

use chrono::{DateTime, Utc};
use prost::Message;
use serde_json::Value;
use shared_db::{
    enums::{PurgeState, PurgeSubject},
    error::{Error, Result},
    ids::{PurgeId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
    purge::{self, Book, Order},
};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct Purge {
    pub id: PurgeId,
    pub subject: PurgeSubject,
    pub subject_id: Uuid,
    pub state: PurgeState,
    /// Of web's tables.
    pub counts: Value,
    /// Of the runtime's tables, once it has begun.
    pub runtime_counts: Option<Value>,
    pub requested_by: Option<UserId>,
    pub failures: i32,
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Purge {
    pub fn order(&self) -> Order {
        Order { purge: self.id, subject: self.subject, id: self.subject_id }
    }
}

/// What is to be erased, and since when nothing that was accepted before may still be under way.
#[derive(Clone, Copy, Debug)]
pub struct NewPurge {
    pub subject: PurgeSubject,
    pub subject_id: Uuid,
    pub requested_by: Option<UserId>,
    pub settle: Duration,
}

/// Reads purges with a statement whose column list is written once, here. The runtime writes its part of the receipt in its own table.
macro_rules! purge {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Purge,
            $head + r#" select it.id, it.subject, it.subject_id, it.state, it.counts, receipt.counts as "runtime_counts?",
                it.requested_by, it.failures, it.error, it.created_at, it.updated_at, it.finished_at
             from web.purges it
             left join runtime.purge_receipts receipt on receipt.id = it.id "# + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(conn: &mut PgConnection, id: PurgeId) -> Result<Purge> {
    purge!("", "where it.id = $1", id.0)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| Error::not_found("purge", id))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    page: &PageRequest,
    message: impl Fn(Purge) -> Result<M>,
) -> Result<Page<M>> {
    let rows = purge!(
        "",
        "where ($1::timestamptz is null or (it.created_at, it.id) < ($1, $2))
         order by it.created_at desc, it.id desc
         limit $3",
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

/// The purge of this subject that is under way.
pub async fn find(conn: &mut PgConnection, subject_id: Uuid) -> Result<Option<Purge>> {
    let found = purge!("", "where it.subject_id = $1 and it.finished_at is null", subject_id)
        .fetch_optional(conn)
        .await?;
    Ok(found)
}

/// Whether an organization takes no calls any more, or a user can own nothing new.
pub async fn is_under_way(conn: &mut PgConnection, subject_id: Uuid) -> Result<bool> {
    let under_way = sqlx::query_scalar!(
        r#"select exists (
             select from web.purges where subject_id = $1 and finished_at is null
         ) as "under_way!""#,
        subject_id,
    )
    .fetch_one(conn)
    .await?;
    Ok(under_way)
}

/// Writes down what is to be erased. Where it is written down already, by somebody at the same moment or before, that one stays.
pub async fn create(conn: &mut PgConnection, id: PurgeId, new: NewPurge) -> Result<Purge> {
    sqlx::query!(
        "insert into web.purges (id, subject, subject_id, requested_by, erase_after)
         values ($1, $2, $3, $4, now() + $5 * interval '1 second')
         on conflict (subject_id) where finished_at is null do nothing",
        id.0,
        new.subject as PurgeSubject,
        new.subject_id,
        new.requested_by.map(|it| it.0),
        new.settle.as_secs_f64(),
    )
    .execute(&mut *conn)
    .await?;
    // One that was in the way may be over by now, and with it the subject is gone.
    find(conn, new.subject_id).await?.ok_or_else(|| Error::not_found("purge", new.subject_id))
}

/// Takes one that is to be worked on; nobody else takes it before `lease` has passed.
pub async fn claim(conn: &mut PgConnection, lease: Duration) -> Result<Option<Purge>> {
    let claimed = sqlx::query_scalar!(
        r#"with due as (
             select id
             from web.purges
             where finished_at is null and work_after <= now()
             order by work_after
             limit 1
             for update skip locked
         )
         update web.purges it
         set work_after = now() + $1 * interval '1 second'
         from due
         where it.id = due.id
         returning it.id"#,
        lease.as_secs_f64(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match claimed {
        Some(id) => get(conn, id).await.map(Some),
        None => Ok(None),
    }
}

/// Erasing begins, unless what was accepted before may still be under way.
pub async fn begin_erasing(conn: &mut PgConnection, id: PurgeId) -> Result<bool> {
    let begun = sqlx::query!(
        "update web.purges
         set state = 'erasing'
         where id = $1 and state = 'stopping' and erase_after <= now()",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// Nothing is left. How far it had come names keys of rows, and is forgotten.
pub async fn finish(conn: &mut PgConnection, id: PurgeId) -> Result<()> {
    sqlx::query!(
        "update web.purges
         set state = 'finished', finished_at = now(), error = null, progress = '{}'
         where id = $1 and state = 'erasing'",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Hands it to whoever comes after `delay`. `error` says what stood in the way, if something did.
pub async fn put_off(
    conn: &mut PgConnection,
    id: PurgeId,
    delay: Duration,
    error: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update web.purges
         set work_after = now() + $2 * interval '1 second',
             error = left($3, 1000),
             failures = case when $3::text is null then 0 else failures + 1 end
         where id = $1 and finished_at is null",
        id.0,
        delay.as_secs_f64(),
        error,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Web's part of the receipts.
#[derive(Clone, Copy, Debug)]
pub struct Receipts;

impl purge::Ledger for Receipts {
    async fn open(&self, conn: &mut PgConnection, id: PurgeId) -> Result<Option<Book>> {
        let book = sqlx::query_as!(
            Book,
            "select counts, progress
             from web.purges
             where id = $1 and state = 'erasing'
             for update",
            id.0,
        )
        .fetch_optional(conn)
        .await?;
        Ok(book)
    }

    async fn note(&self, conn: &mut PgConnection, id: PurgeId, book: Book) -> Result<()> {
        sqlx::query!(
            "update web.purges
             set counts = $2, progress = $3
             where id = $1",
            id.0,
            book.counts,
            book.progress,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

impl Paged for Purge {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
