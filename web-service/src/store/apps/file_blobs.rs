//! Which bytes an organization has, each once. The bytes themselves are in the storage.

use crate::storage::{Address, Digest};
use shared_db::{error::Result, ids::OrganizationId};
use sqlx::PgConnection;
use std::time::Duration;

/// Bytes that an organization has.
#[derive(Clone, Debug)]
pub struct FileBlob {
    pub address: Address,
    pub has_file: bool,
}

/// Writes down that bytes have come, or have come again: the sweep leaves them alone for a while. Until the end of the transaction
/// nobody else touches or removes them.
pub async fn touch(
    conn: &mut PgConnection,
    org: OrganizationId,
    sha256: Digest,
    size_bytes: i64,
) -> Result<()> {
    // The trigger that keeps `updated_at` makes a change of it.
    sqlx::query!(
        "insert into web.file_blobs (org_id, sha256, size_bytes)
         values ($1, $2, $3)
         on conflict (org_id, sha256) do update
         set size_bytes = excluded.size_bytes",
        org.0,
        &sha256.0[..],
        size_bytes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The next bytes after `after`, of all organizations, that nobody has uploaded for `grace`, with whether a file has them. For a
/// transaction of the platform.
pub async fn list_old(
    conn: &mut PgConnection,
    after: Option<Address>,
    grace: Duration,
    limit: i64,
) -> Result<Vec<FileBlob>> {
    let rows = sqlx::query!(
        r#"select it.org_id, it.sha256 as "sha256: Digest",
             exists (
                 select from web.files f
                 where f.org_id = it.org_id and f.sha256 = it.sha256
             ) as "has_file!"
         from web.file_blobs it
         where ($1::uuid is null or (it.org_id, it.sha256) > ($1, $2))
           and (
               it.updated_at < now() - make_interval(secs => $3)
               or exists (select from web.purges p where p.subject_id = it.org_id and p.state = 'erasing')
           )
         order by it.org_id, it.sha256
         limit $4"#,
        after.map(|it| it.org.0),
        after.map(|it| it.sha256.0.to_vec()),
        grace.as_secs_f64(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let blobs = rows.into_iter().map(|it| FileBlob {
        address: Address { org: it.org_id, sha256: it.sha256 },
        has_file: it.has_file,
    });
    Ok(blobs.collect())
}

/// Forgets bytes if no file has them and nobody has uploaded them for `grace`, or their organization is being purged, and says
/// whether it did. Who uploads them meanwhile
/// waits for the end of the transaction. One that somebody uses just now is left alone.
pub async fn forget(conn: &mut PgConnection, at: Address, grace: Duration) -> Result<bool> {
    let forgotten = sqlx::query!(
        "with it as (
             select ctid
             from web.file_blobs
             where org_id = $1
               and sha256 = $2
               and (
                   updated_at < now() - make_interval(secs => $3)
                   or exists (select from web.purges p where p.subject_id = $1 and p.state = 'erasing')
               )
             for update skip locked
         )
         delete from web.file_blobs b
         using it
         where b.ctid = it.ctid
           and b.org_id = $1
           and not exists (
               select from web.files f
               where f.org_id = $1 and f.sha256 = $2
           )",
        at.org.0,
        &at.sha256.0[..],
        grace.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected() == 1)
}
