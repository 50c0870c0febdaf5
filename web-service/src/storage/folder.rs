//! A local folder: `tmp/<id>` for what is on its way in, `<organization>/<first two digits>/<sha256>` for what is whole.

use super::{Address, CHUNK_BYTES, lost, unavailable};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use shared_db::{
    error::{Error, Result},
    ids::FileId,
};
use std::{
    fs,
    io::{self, ErrorKind, SeekFrom},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

/// Nobody else on the machine reads files.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

#[derive(Clone, Debug)]
pub struct Folder {
    root: Arc<Path>,
}

/// Bytes under a temporary name, which goes with this value.
#[derive(Debug)]
pub struct Upload {
    root: Arc<Path>,
    temporary: PathBuf,
    file: File,
    kept: bool,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    pub(super) async fn begin(&self) -> Result<Upload> {
        let folder = temporary(&self.root);
        let temporary = folder.join(FileId::generate().to_string());
        let path = temporary.clone();
        let file = blocking("begin", move || {
            make(&folder)?;
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true).mode(FILE_MODE).open(&path)
        })
        .await?;
        Ok(Upload { root: self.root.clone(), temporary, file: File::from_std(file), kept: false })
    }

    pub(super) async fn get(
        &self,
        at: Address,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let mut file = match File::open(path(&self.root, at)).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(lost(at)),
            Err(error) => return Err(unavailable("open", &error)),
        };
        let begun = file.seek(SeekFrom::Start(range.start)).await;
        begun.map_err(|error| unavailable("seek", &error))?;
        let left = range.end - range.start;
        Ok(stream::try_unfold((file, left), move |(file, left)| read(at, file, left)).boxed())
    }

    pub(super) async fn delete(&self, at: Address) -> Result<()> {
        match tokio::fs::remove_file(path(&self.root, at)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable("delete", &error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn tidy(&self, age: Duration) -> Result<u64> {
        let folder = temporary(&self.root);
        blocking("tidy", move || tidy(&folder, age)).await
    }
}

impl Upload {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).await.map_err(|error| unavailable("write", &error))
    }

    pub(super) async fn complete(mut self) -> Result<Self> {
        let flushed = self.file.flush().await;
        flushed.map_err(|error| unavailable("write", &error))?;
        let synced = self.file.sync_all().await;
        synced.map_err(|error| unavailable("sync", &error))?;
        Ok(self)
    }

    pub(super) async fn keep(mut self, at: Address) -> Result<()> {
        let (root, from) = (self.root.clone(), self.temporary.clone());
        // From here on the temporary name may be gone.
        self.kept = true;
        let moved = blocking("keep", move || keep(&root, &from, &path(&root, at))).await;
        self.kept = moved.is_ok();
        moved
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.temporary)
        {
            tracing::warn!(%error, "an unfinished upload is left behind until it is swept");
        }
    }
}

fn temporary(root: &Path) -> PathBuf {
    root.join("tmp")
}

fn path(root: &Path, at: Address) -> PathBuf {
    at.segments().iter().fold(root.to_path_buf(), |path, it| path.join(it))
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// Moves a file to its name, and makes the name durable: first the folders that lead there, then the name in the last of them.
fn keep(root: &Path, from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(root);
    let is_new = !folder.exists();
    make(folder)?;
    fs::rename(from, to)?;
    let mut folders = folder.ancestors().take_while(|it| it.starts_with(root));
    // A folder that was there has been made durable by whoever made it, or is being so now.
    let count = if is_new { usize::MAX } else { 1 };
    folders.by_ref().take(count).try_for_each(|it| fs::File::open(it)?.sync_all())
}

fn tidy(folder: &Path, age: Duration) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        // One that is gone meanwhile was an upload that has ended.
        let Ok(modified) = entry.metadata().and_then(|it| it.modified()) else { continue };
        if modified.elapsed().is_ok_and(|it| age < it) && fs::remove_file(entry.path()).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// The next bytes of a file, of which `left` are wanted.
async fn read(at: Address, mut file: File, left: u64) -> Result<Option<(Bytes, (File, u64))>> {
    let wanted = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    if wanted == 0 {
        return Ok(None);
    }
    let mut chunk = BytesMut::with_capacity(wanted).limit(wanted);
    let count = file.read_buf(&mut chunk).await.map_err(|error| unavailable("read", &error))?;
    if count == 0 {
        return Err(lost(at));
    }
    Ok(Some((chunk.into_inner().freeze(), (file, left - count as u64))))
}

async fn blocking<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    done.map_err(|error| unavailable(what, &error))
}
