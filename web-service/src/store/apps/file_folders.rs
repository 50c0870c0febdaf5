//! Folders of files: a tree. Who changes its shape holds [`tree::lock`].

pub mod tree;

use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, FileFolderId, OrganizationId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct FileFolder {
    pub org_id: OrganizationId,
    pub id: FileFolderId,
    pub parent_id: Option<FileFolderId>,
    pub name: String,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewFileFolder {
    pub parent_id: Option<FileFolderId>,
    pub name: String,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct FileFolderPatch {
    pub parent_id: Option<Option<FileFolderId>>,
    pub name: Option<String>,
}

/// Which folder to look in.
#[derive(Clone, Copy, Debug)]
pub enum Within {
    Anywhere,
    Root,
    Folder(FileFolderId),
}

impl Within {
    pub fn folder(self) -> Option<FileFolderId> {
        match self {
            Self::Folder(it) => Some(it),
            Self::Anywhere | Self::Root => None,
        }
    }

    pub fn is_root(self) -> bool {
        matches!(self, Self::Root)
    }
}

/// Reads folders with a statement whose column list is written once, here.
macro_rules! file_folder {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            FileFolder,
            $head + " org_id, id, parent_id, name, etag, created_at, updated_at " + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
) -> Result<FileFolder> {
    file_folder!(
        "select",
        "from web.file_folders
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("file_folder", id))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: OrganizationId,
    within: Within,
    page: &PageRequest,
    message: impl Fn(FileFolder) -> Result<M>,
) -> Result<Page<M>> {
    let rows = file_folder!(
        "select",
        "from web.file_folders
         where org_id = $1
           and ($2::uuid is null or parent_id = $2)
           and (not $3 or parent_id is null)
           and ($4::timestamptz is null or (created_at, id) < ($4, $5))
         order by created_at desc, id desc
         limit $6",
        org.0,
        within.folder().map(|it| it.0),
        within.is_root(),
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

pub async fn create(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
    new: NewFileFolder,
) -> Result<FileFolder> {
    let parent = new.parent_id;
    file_folder!(
        "insert into web.file_folders (org_id, id, parent_id, name)
         values ($1, $2, $3, $4)
         returning",
        "",
        org.0,
        id.0,
        parent.map(|it| it.0),
        new.name,
    )
    .fetch_one(conn)
    .await
    .map_err(|error| named(error.into(), parent))
}

pub async fn update(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
    etag: Option<Etag>,
    patch: FileFolderPatch,
) -> Result<FileFolder> {
    let parent = patch.parent_id.flatten();
    let updated = file_folder!(
        "update web.file_folders
         set parent_id = case when $4 then $5 else parent_id end,
             name = coalesce($6, name),
             etag = gen_random_uuid()
         where org_id = $1
           and id = $2
           and ($3::uuid is null or etag = $3)
         returning",
        "",
        org.0,
        id.0,
        etag.map(|it| it.0),
        patch.parent_id.is_some(),
        parent.map(|it| it.0),
        patch.name,
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(|error| named(error.into(), parent))?;
    match updated {
        Some(it) => Ok(it),
        None => Err(absent_or_changed(conn, org, id).await),
    }
}

pub async fn delete(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
    etag: Option<Etag>,
) -> Result<()> {
    let in_use = |what| {
        let problem = format!("there are {what} in the folder");
        Error::precondition(Reason::ResourceInUse, format!("file_folder/{id}"), problem)
    };
    let deleted = sqlx::query!(
        "delete from web.file_folders
         where org_id = $1
           and id = $2
           and ($3::uuid is null or etag = $3)",
        org.0,
        id.0,
        etag.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await
    .map_err(|error| {
        Error::from(error)
            .on_constraint("file_folders_parent_id_fkey", || in_use("folders"))
            .on_constraint("files_folder_id_fkey", || in_use("files"))
    })?;
    match deleted.rows_affected() {
        0 => Err(absent_or_changed(conn, org, id).await),
        _ => Ok(()),
    }
}

async fn absent_or_changed(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
) -> Error {
    match get(conn, org, id).await {
        Ok(_) => Error::etag_mismatch("file_folder", id),
        Err(error) => error,
    }
}

fn named(error: Error, parent: Option<FileFolderId>) -> Error {
    let taken = || Error::AlreadyExists { resource: "file_folder", key: "name" };
    let error = error.on_constraint("file_folders_name_key", taken);
    let Some(parent) = parent else { return error };
    error.on_constraint("file_folders_parent_id_fkey", || Error::not_found("file_folder", parent))
}

impl Paged for FileFolder {
    fn cursor(&self) -> Cursor {
        Cursor { created_at: self.created_at, id: self.id.0 }
    }
}
