//! Folders of files, as a tree.

use crate::{
    resource::{Rules, resource},
    store::{deleted::leave, tree::tree},
};
use shared_db::{
    error::Result,
    ids::{FileFolderId, OrganizationId},
};
use sqlx::PgConnection;

resource! {
    /// Folders of files, as a tree.
    FileFolder in web.file_folders, tenant, rules {
        parent_id: Option<FileFolderId>,
        name: String,
    }
    filters {
        parent_id: FileFolderId = "parent_id = ?",
        top: Flag = "parent_id is null",
    }
}

leave!("web.files", "folder_id", FileFolderId);
tree!("file_folder", "web.file_folders", FileFolderId);

impl Rules for FileFolder {
    async fn creating(
        conn: &mut PgConnection,
        org: OrganizationId,
        new: &mut NewFileFolder,
    ) -> Result<()> {
        place(conn, org, None, new.parent_id).await
    }

    async fn updating(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: FileFolderId,
        patch: &mut FileFolderPatch,
    ) -> Result<()> {
        place(conn, org, Some(id), patch.parent_id.flatten()).await
    }

    async fn deleting(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: FileFolderId,
    ) -> Result<()> {
        leave(conn, org, id).await
    }
}
