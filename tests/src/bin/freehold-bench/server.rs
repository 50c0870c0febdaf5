//! The state in which the database server is measured: that of one which has been at work for hours, and has nothing to catch up with.

use anyhow::Result;
use sqlx::{Connection, PgConnection, raw_sql};

/// Gives the write-ahead log the files that it is to keep. A file that was never used before is written out in full and synced first, while
/// everybody who commits waits: once in 16 MB, for as long as there is none from before a checkpoint to be used again.
pub(crate) async fn age(database_url: &str) -> Result<()> {
    let mut superuser = PgConnection::connect(database_url).await?;
    let files: i32 = sqlx::query_scalar(
        "select (pg_size_bytes(current_setting('min_wal_size')) / pg_size_bytes(current_setting('wal_segment_size')))::integer",
    )
    .fetch_one(&mut superuser)
    .await?;
    for _ in 0..files {
        // Nothing is switched that nothing was written to.
        raw_sql("select pg_logical_emit_message(false, 'bench', ''); select pg_switch_wal()")
            .execute(&mut superuser)
            .await?;
    }
    raw_sql("checkpoint").execute(&mut superuser).await?;
    Ok(superuser.close().await?)
}

/// Does what autovacuum would do in the next minute, and what the next checkpoint would: what is measured on an idle machine is not to wait
/// for what was written before.
pub(crate) async fn rest(database_url: &str) -> Result<()> {
    let mut superuser = PgConnection::connect(database_url).await?;
    for sql in ["vacuum (analyze)", "checkpoint"] {
        raw_sql(sql).execute(&mut superuser).await?;
    }
    Ok(superuser.close().await?)
}
