//! Files: what they are called. Their bytes never change, and are in the storage. A deleted one can be undeleted until it is purged.

use crate::storage::{Address, Digest};
use chrono::{DateTime, Utc};
use shared_db::{
    error::{Error, Result},
    ids::{Etag, FileFolderId, FileId, OrganizationId, UserId},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct File {
    pub org_id: OrganizationId,
    pub id: FileId,
    pub folder_id: Option<FileFolderId>,
    pub name: String,
    pub media_type: String,
    pub size_bytes: i64,
    pub sha256: Digest,
    pub tags: Vec<String>,
    pub description: Option<String>,
    pub created_by: Option<UserId>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl File {
    /// Where its bytes are.
    pub fn address(&self) -> Address {
        Address { org: self.org_id, sha256: self.sha256 }
    }
}

#[derive(Clone, Debug)]
pub struct NewFile {
    pub folder_id: Option<FileFolderId>,
    pub name: String,
    pub media_type: String,
    pub tags: Vec<String>,
    pub description: Option<String>,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct FilePatch {
    pub folder_id: Option<Option<FileFolderId>>,
    pub name: Option<String>,
    pub tags: Option<Vec<String>>,
    pub description: Option<Option<String>>,
}

/// Reads files with a statement whose column list is written once, here.
macro_rules! file {
    ($head:literal, $($tail:literal)+ $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            File,
            $head + r#" org_id, id, folder_id, name, media_type, size_bytes, sha256 as "sha256: Digest", tags, description,
                created_by, deleted_at, etag, created_at, updated_at "# $(+ $tail)+
            $(, $arg)*
        )
    };
}

// After the macro, which they use.
pub mod deleted;
mod lists;

pub use lists::{FileFilter, ORDERS, list};

/// A file that is not deleted, or with `show_deleted` any.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileId,
    show_deleted: bool,
) -> Result<File> {
    file!(
        "select",
        "from web.files
         where org_id = $1
           and id = $2
           and ($3 or deleted_at is null)",
        org.0,
        id.0,
        show_deleted,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("file", id))
}

/// Those of `ids` that are there and not deleted, in no order.
pub async fn get_many(
    conn: &mut PgConnection,
    org: OrganizationId,
    ids: &[FileId],
) -> Result<Vec<File>> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let files = file!(
        "select",
        "from web.files
         where org_id = $1
           and id = any($2)
           and deleted_at is null",
        org.0,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(files)
}

/// A file with bytes that the organization has.
pub async fn create(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileId,
    created_by: Option<UserId>,
    (sha256, size_bytes): (Digest, i64),
    new: NewFile,
) -> Result<File> {
    let folder = new.folder_id;
    file!(
        "insert into web.files
             (org_id, id, folder_id, name, media_type, size_bytes, sha256, tags, description, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         returning",
        "",
        org.0,
        id.0,
        folder.map(|it| it.0),
        new.name,
        new.media_type,
        size_bytes,
        &sha256.0[..],
        &new.tags,
        new.description,
        created_by.map(|it| it.0),
    )
    .fetch_one(conn)
    .await
    .map_err(|error| with_folder(error.into(), folder))
}

pub async fn update(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileId,
    etag: Option<Etag>,
    patch: FilePatch,
) -> Result<File> {
    let folder = patch.folder_id.flatten();
    let updated = file!(
        "update web.files
         set folder_id = case when $4 then $5 else folder_id end,
             name = coalesce($6, name),
             tags = coalesce($7, tags),
             description = case when $8 then $9 else description end,
             etag = gen_random_uuid()
         where org_id = $1
           and id = $2
           and deleted_at is null
           and ($3::uuid is null or etag = $3)
         returning",
        "",
        org.0,
        id.0,
        etag.map(|it| it.0),
        patch.folder_id.is_some(),
        folder.map(|it| it.0),
        patch.name,
        patch.tags.as_deref(),
        patch.description.is_some(),
        patch.description.flatten(),
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(|error| with_folder(error.into(), folder))?;
    match updated {
        Some(it) => Ok(it),
        None => Err(absent_or_changed(conn, org, id).await),
    }
}

/// Marks a file as deleted.
pub async fn delete(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileId,
    etag: Option<Etag>,
) -> Result<File> {
    let deleted = file!(
        "update web.files
         set deleted_at = now(),
             etag = gen_random_uuid()
         where org_id = $1
           and id = $2
           and deleted_at is null
           and ($3::uuid is null or etag = $3)
         returning",
        "",
        org.0,
        id.0,
        etag.map(|it| it.0),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match deleted {
        Some(it) => Ok(it),
        None => Err(absent_or_changed(conn, org, id).await),
    }
}

async fn absent_or_changed(conn: &mut PgConnection, org: OrganizationId, id: FileId) -> Error {
    match get(conn, org, id, false).await {
        Ok(_) => Error::etag_mismatch("file", id),
        Err(error) => error,
    }
}

fn with_folder(error: Error, folder: Option<FileFolderId>) -> Error {
    let Some(folder) = folder else { return error };
    error.on_constraint("files_folder_id_fkey", || Error::not_found("file_folder", folder))
}
