//! Folders of files: a tree. Who changes its shape holds [`lock_tree`].

use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, FileFolderId, OrganizationId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

/// Folders above one another, at most.
pub const DEPTH_MAX: usize = 16;

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

/// Lets nobody else change the shape of the organization's tree until the end of the transaction: two moves that look right by
/// themselves could make a circle together. It locks the organization's row, in a way that does not disturb foreign keys.
pub async fn lock_tree(conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
    sqlx::query!(
        "select id
         from web.organizations
         where id = $1
         for no key update",
        org.0,
    )
    .fetch_optional(conn)
    .await?
    .map(drop)
    .ok_or_else(|| Error::not_found("organization", org))
}

/// A folder and those that it is in, innermost first.
pub async fn path(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
) -> Result<Vec<FileFolderId>> {
    let path = sqlx::query_scalar!(
        r#"with recursive above as (
             select id, parent_id, 1 as depth
             from web.file_folders
             where org_id = $1 and id = $2
             union all
             select it.id, it.parent_id, above.depth + 1
             from above
             join web.file_folders it on it.org_id = $1 and it.id = above.parent_id
             where above.depth <= $3
         )
         select id as "id!: FileFolderId"
         from above
         order by depth"#,
        org.0,
        id.0,
        depth_max(),
    )
    .fetch_all(conn)
    .await?;
    match path.len() {
        0 => Err(Error::not_found("file_folder", id)),
        _ => Ok(path),
    }
}

/// How many folders stand on top of one another in a folder, itself included; 0 when it is not there.
pub async fn height(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileFolderId,
) -> Result<usize> {
    let height = sqlx::query_scalar!(
        r#"with recursive below as (
             select id, 1 as height
             from web.file_folders
             where org_id = $1 and id = $2
             union all
             select it.id, below.height + 1
             from below
             join web.file_folders it on it.org_id = $1 and it.parent_id = below.id
             where below.height <= $3
         )
         select coalesce(max(height), 0) as "height!"
         from below"#,
        org.0,
        id.0,
        depth_max(),
    )
    .fetch_one(conn)
    .await?;
    usize::try_from(height).map_err(Error::internal)
}

/// Where walking the tree ends, were it ever deeper than it may be.
fn depth_max() -> i32 {
    i32::try_from(DEPTH_MAX).unwrap_or(i32::MAX)
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
