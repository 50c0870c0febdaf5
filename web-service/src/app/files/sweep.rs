//! Removes what nobody can reach any more: files, notes, tasks and sheets that were deleted long ago, bytes that no file has, and what
//! uploads that died have left behind. It runs in every replica and needs no leader: two that do the same do it once.

use crate::{
    app::App,
    resource::Undelete,
    storage::Address,
    store::apps::{file_blobs, files::deleted, notes::Note, sheets::Sheet, tasks::Task},
};
use anyhow::Result;
use shared_db::{error, scope::Scope};
use sqlx::PgConnection;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bytes that are looked at in one transaction.
const BATCH: i64 = 1000;

/// Rows of one kind that are removed in one transaction.
const PURGED_AT_ONCE: i64 = 200;

/// Works until `stop`. An error of the database ends it; it is started again.
pub async fn run(app: App, stop: CancellationToken) -> Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(app.files.sweep_interval) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            swept = pass(&app) => swept?,
        }
    }
}

/// An upload that nothing was added to for this long is dead: its caller may not be silent for so long.
const UPLOAD_AGE_MIN: Duration = Duration::from_hours(1);

/// Looks through everything once.
pub async fn pass(app: &App) -> error::Result<()> {
    purge(app, deleted::purge).await?;
    purge(app, Note::sweep).await?;
    purge(app, Task::sweep).await?;
    purge(app, Sheet::sweep).await?;
    let mut after = None;
    loop {
        let mut tx = app.db.begin(Scope::Platform).await?;
        let old = file_blobs::list_old(&mut tx, after, app.files.sweep_grace, BATCH).await?;
        drop(tx);
        for blob in old.iter().filter(|it| !it.has_file) {
            if let Err(error) = forget(app, blob.address).await {
                tracing::warn!(%error, at = ?blob.address, "unused bytes are kept until the next sweep");
            }
        }
        after = old.last().map(|it| it.address);
        if old.len() < BATCH.unsigned_abs().try_into().unwrap_or(usize::MAX) {
            break;
        }
    }
    let age = app.files.sweep_grace.max(UPLOAD_AGE_MIN);
    if let Err(error) = app.files.storage.tidy(age).await {
        tracing::warn!(%error, "what uploads have left behind is kept until the next sweep");
    }
    Ok(())
}

/// Removes what was deleted longer ago than it can be undeleted, of one kind. Messages of a task and versions of a sheet go with it, so it is
/// not too many at once.
async fn purge(
    app: &App,
    some: impl AsyncFn(&mut PgConnection, Duration, i64) -> error::Result<u64>,
) -> error::Result<()> {
    loop {
        let mut tx = app.db.begin(Scope::Platform).await?;
        let purged = some(&mut tx, app.files.undelete_window, PURGED_AT_ONCE).await?;
        tx.commit().await?;
        if purged < PURGED_AT_ONCE.unsigned_abs() {
            return Ok(());
        }
    }
}

/// The row goes with the bytes, and its lock is held meanwhile: an upload of the same bytes waits, and then brings them again. Dying
/// in between leaves a row without bytes and without a file, which the next upload or the next sweep mends.
async fn forget(app: &App, at: Address) -> error::Result<()> {
    let mut tx = app.db.begin(Scope::Platform).await?;
    if file_blobs::forget(&mut tx, at, app.files.sweep_grace).await? {
        app.files.storage.delete(at).await?;
        tx.commit().await?;
    }
    Ok(())
}
