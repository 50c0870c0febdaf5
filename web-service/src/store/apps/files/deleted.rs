//! What becomes of deleted files: they come back, or go for good.

use super::{Digest, File, get};
use shared_db::{
    error::{Error, Result},
    ids::{Etag, FileId, OrganizationId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// One that was deleted, as it is now that it is back; `None` for one that is there, whatever its etag.
pub async fn undelete(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: FileId,
    etag: Option<Etag>,
) -> Result<Option<File>> {
    let undeleted = file!(
        "update web.files
         set deleted_at = null,
             etag = gen_random_uuid()
         where org_id = $1
           and id = $2
           and deleted_at is not null
           and ($3::uuid is null or etag = $3)
         returning",
        "",
        org.0,
        id.0,
        etag.map(|it| it.0),
    )
    .fetch_optional(&mut *conn)
    .await?;
    if undeleted.is_none() && get(conn, org, id, true).await?.deleted_at.is_some() {
        return Err(Error::etag_mismatch("file", id));
    }
    Ok(undeleted)
}

/// Removes files of all organizations that were deleted longer than `age` ago, and says how many. For a transaction of the platform.
pub async fn purge(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<u64> {
    let purged = sqlx::query!(
        "delete from web.files
         where (org_id, id) in (
             select org_id, id
             from web.files
             where deleted_at < now() - make_interval(secs => $1)
             order by deleted_at
             limit $2
             for update skip locked
         )",
        age.as_secs_f64(),
        limit,
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
