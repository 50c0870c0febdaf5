//! Text that people keep, in folders.

use crate::resource::resource;
use shared_db::{
    error::Result,
    ids::{NoteFolderId, NoteId, OrganizationId, UserId},
};
use sqlx::PgConnection;

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
        tag: String = "tags @> array[?]",
        pinned: bool = "pinned = ?",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
    }
    orders {
        "create_time desc" = created_at,
        "update_time desc" = updated_at,
    }
}

/// Takes the deleted notes of a folder that is about to go out of it, should they come back.
pub async fn leave_folder(
    conn: &mut PgConnection,
    org: OrganizationId,
    folder: NoteFolderId,
) -> Result<()> {
    sqlx::query!(
        "update web.notes
         set folder_id = null, etag = gen_random_uuid()
         where org_id = $1 and folder_id = $2 and deleted_at is not null",
        org.0,
        folder.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}
