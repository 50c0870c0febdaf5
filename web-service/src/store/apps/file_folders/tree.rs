//! The shape of the tree: how deep it is, and who may change it.

use shared_db::{
    error::{Error, Result},
    ids::{FileFolderId, OrganizationId},
};
use sqlx::PgConnection;

/// Folders above one another, at most.
pub const DEPTH_MAX: usize = 16;

/// Lets nobody else change the shape of the organization's tree until the end of the transaction: two moves that look right by
/// themselves could make a circle together. It locks the organization's row, in a way that does not disturb foreign keys.
pub async fn lock(conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
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
