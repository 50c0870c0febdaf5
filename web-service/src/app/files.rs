//! Files with their bytes: taking them in, and giving them out.
//!
//! Bytes are written down before they get their address, and the file is written down in the transaction in which they get it, under
//! a lock that the sweep of unused bytes takes as well. So whatever a file names is there, and whatever is there is known.

pub mod sweep;
pub mod urls;

use super::{App, change::Change};
use crate::{
    config::FileUrlKey,
    resource::Get,
    storage::{self, Digest, Storage, StorageConfig},
    store::apps::{
        file_blobs,
        file_folders::FileFolder,
        files::{self, File, NewFile, deleted},
    },
};
use bytes::Bytes;
use clap::Args;
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use sha2::{Digest as _, Sha256};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, FileId, OrganizationId},
    scope::Scope,
    service::{
        Caller,
        config::{duration, positive},
    },
};
use std::{net::SocketAddr, ops::Range, time::Duration};
use urls::FileUrls;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Files")]
pub struct FilesConfig {
    #[command(flatten)]
    pub storage: StorageConfig,
    /// Bytes of one file, up to 5 GiB: no store that speaks S3 copies more at once
    #[arg(long, env = "FREEHOLD_FILE_BYTES_MAX", default_value_t = 100 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1..=(5 << 30)))]
    pub file_bytes_max: u64,
    /// How long a deleted file can be undeleted, and a note, a task or a sheet
    #[arg(long, env = "FREEHOLD_FILES_UNDELETE_WINDOW", default_value = "720h", value_parser = duration)]
    pub files_undelete_window: Duration,
    /// How often what was deleted so long ago, and unused bytes, are looked for
    #[arg(long, env = "FREEHOLD_FILES_SWEEP_INTERVAL", default_value = "1h", value_parser = positive)]
    pub files_sweep_interval: Duration,
    /// How long bytes without a file are kept, and what uploads that died have left behind (that for an hour at least)
    #[arg(long, env = "FREEHOLD_FILES_SWEEP_GRACE", default_value = "24h", value_parser = positive)]
    pub files_sweep_grace: Duration,
    /// Address for downloads of files by signed URL, over plain HTTP and public: put a proxy that speaks TLS before it. None when absent
    #[arg(long, env = "FREEHOLD_FILES_LISTEN")]
    pub files_listen: Option<SocketAddr>,
    /// What the URLs of files begin with, as browsers see it, such as `https://files.example.com` [default: the address for downloads]
    #[arg(long, env = "FREEHOLD_FILES_URL")]
    pub files_url: Option<String>,
    #[command(flatten)]
    pub file_url_key: FileUrlKey,
}

/// What handlers need for files. Clones share it.
#[derive(Clone, Debug)]
pub struct Files {
    pub storage: Storage,
    /// `None` where none are served.
    pub urls: Option<FileUrls>,
    pub bytes_max: u64,
    pub undelete_window: Duration,
    pub sweep_interval: Duration,
    pub sweep_grace: Duration,
}

impl Files {
    /// `served_at` is where this replica serves files by URL, if it does.
    pub fn new(config: &FilesConfig, served_at: Option<SocketAddr>) -> anyhow::Result<Self> {
        let base = config.files_url.clone().or(served_at.map(|it| format!("http://{it}")));
        let urls = match base {
            Some(base) => Some(FileUrls::new(&base, config.file_url_key.read()?.as_ref())?),
            None => None,
        };
        Ok(Self {
            storage: Storage::open(&config.storage)?,
            urls,
            bytes_max: config.file_bytes_max,
            undelete_window: config.files_undelete_window,
            sweep_interval: config.files_sweep_interval,
            sweep_grace: config.files_sweep_grace,
        })
    }
}

/// What an upload has said of its bytes before they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    pub size_bytes: Option<u64>,
    pub sha256: Option<Digest>,
}

/// Takes in a file. If this fails, or is dropped, there is nothing of it.
pub async fn upload(
    app: &App,
    caller: &Caller,
    new: NewFile,
    expected: Expected,
    chunks: impl Stream<Item = Result<Bytes>>,
) -> Result<File> {
    let (org, id) = (caller.org()?, FileId::generate());
    if let Some(folder) = new.folder_id {
        // Before all the bytes have come for nothing.
        let mut tx = app.db.begin(caller.scope()?).await?;
        FileFolder::get(&mut tx, org, folder).await?;
    }
    let taken = take(app, expected, chunks).await?;
    let size_bytes = i64::try_from(taken.size_bytes).map_err(Error::internal)?;
    // Written down before the bytes get their address: should that be all that happens, the sweep knows of them.
    let mut tx = app.db.begin(caller.scope()?).await?;
    file_blobs::touch(&mut tx, org, taken.sha256, size_bytes).await?;
    tx.commit().await?;
    Change::new(caller, "UploadFile", id)
        .apply(&app.db, async |tx| {
            // Once more, for the lock: the sweep has done with them or keeps away.
            file_blobs::touch(tx, org, taken.sha256, size_bytes).await?;
            taken.bytes.keep(storage::Address { org, sha256: taken.sha256 }).await?;
            files::create(tx, org, id, caller.user, (taken.sha256, size_bytes), new).await
        })
        .await
}

/// Bytes that have all come, and are what they were expected to be.
struct Taken {
    bytes: storage::Complete,
    sha256: Digest,
    size_bytes: u64,
}

async fn take(
    app: &App,
    expected: Expected,
    chunks: impl Stream<Item = Result<Bytes>>,
) -> Result<Taken> {
    let bytes_max = app.files.bytes_max;
    within(expected.size_bytes.unwrap_or_default(), bytes_max)?;
    let mut upload = app.files.storage.begin().await?;
    let (mut hash, mut size_bytes) = (Sha256::new(), 0);
    let mut chunks = std::pin::pin!(chunks);
    while let Some(chunk) = chunks.try_next().await? {
        size_bytes += chunk.len() as u64;
        within(size_bytes, bytes_max)?;
        if expected.size_bytes.is_some_and(|it| it < size_bytes) {
            return Err(other_size(expected, size_bytes, "or more"));
        }
        hash.update(&chunk);
        upload.write(chunk).await?;
    }
    if expected.size_bytes.is_some_and(|it| it != size_bytes) {
        return Err(other_size(expected, size_bytes, "in all"));
    }
    let sha256 = Digest(hash.finalize().into());
    if expected.sha256.is_some_and(|it| it != sha256) {
        let problem = format!("the bytes that came have {sha256}");
        let reason = Reason::FileChecksumMismatch;
        return Err(Error::invalid_as(reason, "expected_sha256", problem));
    }
    Ok(Taken { bytes: upload.complete().await?, sha256, size_bytes })
}

fn within(size_bytes: u64, bytes_max: u64) -> Result<()> {
    if size_bytes <= bytes_max {
        return Ok(());
    }
    let problem =
        format!("a file may have {bytes_max} bytes, and this one has {size_bytes} or more");
    Err(Error::Exhausted { reason: Reason::FileTooLarge, problem })
}

fn other_size(expected: Expected, size_bytes: u64, how: &str) -> Error {
    let said = expected.size_bytes.unwrap_or_default();
    let problem = format!("{said} bytes were announced, and {size_bytes} {how} came");
    Error::invalid_as(Reason::FileSizeMismatch, "expected_size_bytes", problem)
}

/// Brings a deleted file back. One that is there stays as it is, without a line in the trail.
pub async fn undelete(app: &App, caller: &Caller, id: FileId, etag: Option<Etag>) -> Result<File> {
    let org = caller.org()?;
    let mut tx = app.db.begin(caller.scope()?).await?;
    match deleted::undelete(&mut tx, org, id, etag).await? {
        Some(back) => Change::new(caller, "UndeleteFile", id).finish(tx, Ok(back), false).await,
        None => files::get(&mut tx, org, id, false).await,
    }
}

/// A file and some of its bytes.
pub struct Download {
    pub file: File,
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

/// Opens a file that is not deleted, for the bytes that `range` chooses when it knows how many there are.
pub async fn download(
    app: &App,
    scope: Scope,
    (org, id): (OrganizationId, FileId),
    range: impl FnOnce(u64) -> Range<u64>,
) -> Result<Download> {
    let mut tx = app.db.begin(scope).await?;
    let file = files::get(&mut tx, org, id, false).await?;
    // The connection is for others while the bytes go out.
    drop(tx);
    let size = u64::try_from(file.size_bytes).map_err(Error::internal)?;
    let range = range(size);
    let whole = range == (0..size);
    let bytes = app.files.storage.get(file.address(), range).await?;
    let bytes = if whole { checked(bytes, file.address()) } else { bytes };
    Ok(Download { file, bytes })
}

/// Fails after the last of all of a file's bytes if they are not what was uploaded.
fn checked(
    bytes: BoxStream<'static, Result<Bytes>>,
    at: storage::Address,
) -> BoxStream<'static, Result<Bytes>> {
    let step = move |(mut bytes, mut hash): (BoxStream<'static, Result<Bytes>>, Sha256)| async move {
        if let Some(chunk) = bytes.try_next().await? {
            hash.update(&chunk);
            return Ok(Some((chunk, (bytes, hash))));
        }
        if Digest(hash.finalize().into()) == at.sha256 {
            return Ok(None);
        }
        Err(storage::damaged(at, "are not what was uploaded"))
    };
    stream::try_unfold((bytes, Sha256::new()), step).boxed()
}
