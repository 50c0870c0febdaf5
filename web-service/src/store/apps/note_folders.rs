//! Folders of notes, as a tree.

use crate::{
    resource::{Rules, resource},
    store::{deleted::leave, tree::tree},
};
use shared_db::{
    error::Result,
    ids::{NoteFolderId, OrganizationId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// Folders of notes, as a tree.
    NoteFolder in web.note_folders, tenant, rules {
        parent_id: Option<NoteFolderId>,
        name: String,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        parent_id: NoteFolderId = "parent_id = ?",
        top: Flag = "parent_id is null",
    }
}

leave!("web.notes", "folder_id", NoteFolderId);
tree!("note_folder", "web.note_folders", NoteFolderId);

impl Rules for NoteFolder {
    async fn creating(
        conn: &mut PgConnection,
        org: OrganizationId,
        new: &mut NewNoteFolder,
    ) -> Result<()> {
        place(conn, org, None, new.parent_id).await
    }

    async fn updating(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: NoteFolderId,
        patch: &mut NoteFolderPatch,
    ) -> Result<()> {
        place(conn, org, Some(id), patch.parent_id.flatten()).await
    }

    async fn deleting(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: NoteFolderId,
    ) -> Result<()> {
        leave(conn, org, id).await
    }
}
