//! Pages of a list: keyset paging over what the list is ordered by and the id, with tokens that are sealed to the list and its filters.

mod token;

pub use token::{ListId, PageTokens};

use crate::error::Result;
use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt};
use prost::Message;
use uuid::Uuid;

pub const PAGE_SIZE_DEFAULT: u16 = 50;
pub const PAGE_SIZE_MAX: u16 = 1000;

/// Bytes of the messages on a page whose messages may be large: it fits into what a client takes by default.
pub const PAGE_BYTES_MAX: usize = 3 << 20;

/// What a list is ordered by, of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Time(DateTime<Utc>),
    Number(i32),
    Text(String),
}

/// The position after the last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// As its list is ordered: most by one time.
    pub keys: Vec<Key>,
    /// Decides between rows whose keys are the same.
    pub id: Uuid,
}

impl Cursor {
    /// In a list that is ordered by one time.
    pub fn at(time: DateTime<Utc>, id: Uuid) -> Self {
        Self { keys: vec![Key::Time(time)], id }
    }
}

/// What a list statement needs to know. A cursor's keys are of the kinds that its list is ordered by: its token belongs to that order.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub size: u16,
    pub after: Option<Cursor>,
}

impl PageRequest {
    fn key(&self, number: usize) -> Option<&Key> {
        self.after.as_ref()?.keys.get(number)
    }

    pub fn after_time(&self) -> Option<DateTime<Utc>> {
        if let Some(Key::Time(it)) = self.key(0) { Some(*it) } else { None }
    }

    /// The key with this number, which is a text.
    pub fn after_text(&self, number: usize) -> Option<&str> {
        if let Some(Key::Text(it)) = self.key(number) { Some(it) } else { None }
    }

    /// The key with this number, which is a number.
    pub fn after_number(&self, number: usize) -> Option<i32> {
        if let Some(Key::Number(it)) = self.key(number) { Some(*it) } else { None }
    }

    pub fn after_id(&self) -> Option<Uuid> {
        self.after.as_ref().map(|it| it.id)
    }

    /// One row more than the page holds, to know whether there is another page.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }
}

/// One page, and where the next begins.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

/// A row that knows its place in its list.
pub trait Paged {
    fn cursor(&self) -> Cursor;
}

impl<T: Paged> Page<T> {
    pub fn from_rows(mut items: Vec<T>, request: &PageRequest) -> Self {
        let size = usize::from(request.size);
        let more = size < items.len();
        items.truncate(size);
        let next = if more { items.last().map(Paged::cursor) } else { None };
        Page { items, next }
    }
}

impl<M: Message> Page<M> {
    /// A page of messages, made from rows as they come. It ends early rather than grow past [`PAGE_BYTES_MAX`], and no more rows
    /// than that are held; one message is always on it.
    pub async fn collect<R: Paged>(
        rows: impl Stream<Item = sqlx::Result<R>>,
        request: &PageRequest,
        message: impl Fn(R) -> Result<M>,
    ) -> Result<Self> {
        Self::collect_by(rows, request, R::cursor, message).await
    }

    /// The same for a list in another order than its rows have by themselves.
    pub async fn collect_by<R>(
        rows: impl Stream<Item = sqlx::Result<R>>,
        request: &PageRequest,
        cursor: impl Fn(&R) -> Cursor,
        message: impl Fn(R) -> Result<M>,
    ) -> Result<Self> {
        let mut rows = std::pin::pin!(rows);
        let (mut items, mut bytes, mut last) = (Vec::new(), 0, None);
        while let Some(row) = rows.try_next().await? {
            let cursor = cursor(&row);
            let item = message(row)?;
            bytes += item.encoded_len();
            let full = items.len() == usize::from(request.size) || bytes > PAGE_BYTES_MAX;
            if full && !items.is_empty() {
                return Ok(Self { items, next: last });
            }
            items.push(item);
            last = Some(cursor);
        }
        Ok(Self { items, next: None })
    }
}
