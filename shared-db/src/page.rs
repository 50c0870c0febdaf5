//! Pages of a list: keyset paging over `(created_at, id)`, with tokens that are sealed to the list and its filters.

use crate::error::{Error, Reason, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt};
use hmac::{Hmac, Mac};
use prost::Message;
use sha2::Sha256;
use uuid::Uuid;

pub const PAGE_SIZE_DEFAULT: u16 = 50;
pub const PAGE_SIZE_MAX: u16 = 1000;

/// Bytes of the messages on a page whose messages may be large: it fits into what a client takes by default.
pub const PAGE_BYTES_MAX: usize = 3 << 20;

/// The position after the last row of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When it was created, or the time that its list is ordered by.
    pub created_at: DateTime<Utc>,
    pub id: Uuid,
}

/// What a list statement needs to know.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    pub size: u16,
    pub after: Option<Cursor>,
}

impl PageRequest {
    pub fn after_time(&self) -> Option<DateTime<Utc>> {
        self.after.map(|it| it.created_at)
    }

    pub fn after_id(&self) -> Option<Uuid> {
        self.after.map(|it| it.id)
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

/// Seals page tokens. All replicas of a service hold the same key, so that any of them can go on with a list.
#[derive(Clone)]
pub struct PageTokens(Hmac<Sha256>);

/// A list as a token knows it: the method, the organization and every filter, in one string.
#[derive(Clone, Debug)]
pub struct ListId(pub String);

const CURSOR_BYTES: usize = 24;
const SEAL_BYTES: usize = 16;

impl PageTokens {
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// Reads `page_size` and `page_token` of a request for the list `list`.
    pub fn open(&self, size: i32, token: &str, list: &ListId) -> Result<PageRequest> {
        let size = match u16::try_from(size) {
            Ok(0) => PAGE_SIZE_DEFAULT,
            Ok(size) => size.min(PAGE_SIZE_MAX),
            Err(_) if 0 < size => PAGE_SIZE_MAX,
            Err(_) => return Err(Error::invalid("page_size", "must not be negative")),
        };
        let after = match token {
            "" => None,
            token => Some(self.unseal(token, list).ok_or_else(|| {
                let problem =
                    "was not issued for this list with these filters; start again without it";
                Error::invalid_as(Reason::InvalidPageToken, "page_token", problem)
            })?),
        };
        Ok(PageRequest { size, after })
    }

    /// The token for the page that begins at `next`; empty when there is none.
    pub fn seal(&self, next: Option<Cursor>, list: &ListId) -> String {
        let Some(next) = next else { return String::new() };
        let mut bytes = Vec::with_capacity(CURSOR_BYTES + SEAL_BYTES);
        bytes.extend(next.created_at.timestamp_micros().to_be_bytes());
        bytes.extend(next.id.as_bytes());
        let seal = self.mac(&bytes, list).finalize().into_bytes();
        bytes.extend(&seal[..SEAL_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn unseal(&self, token: &str, list: &ListId) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (cursor, seal) = bytes.split_at_checked(CURSOR_BYTES)?;
        (seal.len() == SEAL_BYTES).then_some(())?;
        self.mac(cursor, list).verify_truncated_left(seal).ok()?;
        let (micros, id) = cursor.split_at(8);
        Some(Cursor {
            created_at: DateTime::from_timestamp_micros(i64::from_be_bytes(
                micros.try_into().ok()?,
            ))?,
            id: Uuid::from_slice(id).ok()?,
        })
    }

    fn mac(&self, cursor: &[u8], list: &ListId) -> Hmac<Sha256> {
        self.0.clone().chain_update(cursor).chain_update(list.0.as_bytes())
    }
}
