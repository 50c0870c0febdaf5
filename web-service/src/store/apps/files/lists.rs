//! Files as they are listed: in which folder, with what, and in which order.

use super::{Digest, File};
use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    error::Result,
    ids::{FileFolderId, OrganizationId},
    page::{Cursor, Key, Page, PageRequest},
};
use sqlx::PgConnection;

/// `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct FileFilter {
    pub folder_id: Option<FileFolderId>,
    /// Only those in the root.
    pub top: bool,
    pub tag: Option<String>,
    pub query: Option<String>,
    pub media_type_prefix: Option<String>,
    pub show_deleted: bool,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

/// The first is the one that a list has when it is not asked for another.
pub const ORDERS: [&str; 3] = ["create_time desc", "update_time desc", "name"];

/// The statement in one order, and its page.
macro_rules! page {
    ($conn:ident, $org:ident, $filter:ident, $page:ident, $message:ident, $after:literal $by:literal, $key:expr, $of:expr) => {{
        let rows = file!(
            "select",
            "from web.files
             where org_id = $1
               and ($2::uuid is null or folder_id = $2)
               and (not $3 or folder_id is null)
               and ($4::text is null or tags @> array[$4])
               and ($5::text is null or search @@ plainto_tsquery('simple', translate($5, '._-/', '    ')))
               and ($6::text is null or starts_with(media_type, $6))
               and ($7 or deleted_at is null)
               and ($8::timestamptz is null or created_at >= $8)
               and ($9::timestamptz is null or created_at < $9)
               and " $after "order by " $by "limit $12",
            $org.0,
            $filter.folder_id.map(|it| it.0),
            $filter.top,
            $filter.tag.as_deref(),
            $filter.query.as_deref(),
            $filter.media_type_prefix.as_deref(),
            $filter.show_deleted,
            $filter.from,
            $filter.before,
            $key,
            $page.after_id(),
            $page.limit(),
        )
        .fetch($conn);
        let key: fn(&File) -> Key = $of;
        let cursor = |it: &File| Cursor { keys: vec![key(it)], id: it.id.0 };
        Page::collect_by(rows, $page, cursor, $message).await
    }};
}

/// `order` is one of [`ORDERS`], by its number.
pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &FileFilter,
    order: usize,
    page: &PageRequest,
    message: impl Fn(File) -> Result<M>,
) -> Result<Page<M>> {
    match order {
        0 => page!(conn, org, filter, page, message,
            "($10::timestamptz is null or (created_at, id) < ($10, $11)) "
            "created_at desc, id desc ",
            page.after_time(), |it| Key::Time(it.created_at)),
        1 => page!(conn, org, filter, page, message,
            "($10::timestamptz is null or (updated_at, id) < ($10, $11)) "
            "updated_at desc, id desc ",
            page.after_time(), |it| Key::Time(it.updated_at)),
        _ => page!(conn, org, filter, page, message,
            "($10::text is null or (name, id) > ($10, $11)) "
            "name, id ",
            page.after_text(0), |it| Key::Text(it.name.clone())),
    }
}
