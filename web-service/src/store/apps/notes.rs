//! Text that people keep, in folders.

use crate::resource::resource;
use chrono::{DateTime, Utc};
use shared_db::ids::{NoteFolderId, NoteId, UserId};

resource! {
    /// Text that people keep, in folders.
    Note in web.notes, tenant, soft_delete, verbs(get, batch_get, list, create, update, delete) {
        folder_id: Option<NoteFolderId>,
        title: String,
        body: String,
        tags: Vec<String>,
        pinned: bool,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        folder_id: NoteFolderId = "folder_id = ?",
        top: Flag = "folder_id is null",
        tag: String = "tags @> array[?]",
        pinned: bool = "pinned = ?",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
        create_time_from: DateTime<Utc> = "created_at >= ?",
        create_time_before: DateTime<Utc> = "created_at < ?",
    }
    orders {
        "create_time desc" = created_at,
        "update_time desc" = updated_at,
        "title" = title,
    }
}
