//! What changes the shape of the tree of folders: it stays a tree, and no deeper than it may be.

use super::{App, change::Change};
use crate::store::apps::{
    file_folders::{
        self, FileFolder, FileFolderPatch, NewFileFolder,
        tree::{self, DEPTH_MAX},
    },
    files::deleted,
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, FileFolderId},
    service::Caller,
};
use sqlx::PgConnection;

pub async fn create(app: &App, caller: &Caller, new: NewFileFolder) -> Result<FileFolder> {
    let (org, id) = (caller.org()?, FileFolderId::generate());
    Change::new(caller, "CreateFileFolder", id)
        .apply(&app.db, async |tx| {
            if let Some(parent) = new.parent_id {
                tree::lock(tx, org).await?;
                let depth = tree::path(tx, org, parent).await?.len();
                shallow(parent, depth + 1)?;
            }
            file_folders::create(tx, org, id, new).await
        })
        .await
}

pub async fn update(
    app: &App,
    caller: &Caller,
    id: FileFolderId,
    etag: Option<Etag>,
    patch: FileFolderPatch,
    fields: Vec<String>,
) -> Result<FileFolder> {
    let org = caller.org()?;
    Change::new(caller, "UpdateFileFolder", id)
        .fields(fields)
        .apply(&app.db, async |tx| {
            if let Some(Some(parent)) = patch.parent_id {
                tree::lock(tx, org).await?;
                fits(tx, caller, id, parent).await?;
            }
            file_folders::update(tx, org, id, etag, patch).await
        })
        .await
}

pub async fn delete(
    app: &App,
    caller: &Caller,
    id: FileFolderId,
    etag: Option<Etag>,
) -> Result<()> {
    let org = caller.org()?;
    Change::new(caller, "DeleteFileFolder", id)
        .apply(&app.db, async |tx| {
            deleted::leave_folder(tx, org, id).await?;
            file_folders::delete(tx, org, id, etag).await
        })
        .await
}

/// Whether a folder can be put into `parent`, with all that is in it.
async fn fits(
    conn: &mut PgConnection,
    caller: &Caller,
    id: FileFolderId,
    parent: FileFolderId,
) -> Result<()> {
    let org = caller.org()?;
    let height = tree::height(conn, org, id).await?;
    if height == 0 {
        return Err(Error::not_found("file_folder", id));
    }
    let path = tree::path(conn, org, parent).await?;
    if path.contains(&id) {
        let problem = "the folder would lie in itself";
        let subject = format!("file_folder/{parent}");
        return Err(Error::precondition(Reason::FolderCycle, subject, problem));
    }
    shallow(parent, path.len() + height)
}

fn shallow(parent: FileFolderId, depth: usize) -> Result<()> {
    if depth <= DEPTH_MAX {
        return Ok(());
    }
    let problem = format!("folders would be {depth} deep, and {DEPTH_MAX} is the limit");
    Err(Error::precondition(Reason::FolderTooDeep, format!("file_folder/{parent}"), problem))
}
