//! Where the bytes of files are: a folder of this machine, or a bucket of a store that speaks S3.
//!
//! Bytes are kept under what they are, apart for each organization, and never change. They are taken in under a temporary name and
//! get their address when all of them have come, so whatever has an address is whole.

mod folder;
mod s3;

use crate::config::{S3AccessKeyId, S3SecretAccessKey};
use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use futures_util::stream::{self, BoxStream, StreamExt};
use shared_db::{
    error::{Error, Reason, Result},
    ids::OrganizationId,
};
use std::{fmt, ops::Range, path::PathBuf, time::Duration};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where files are (a local folder, unless a bucket is named)")]
pub struct StorageConfig {
    /// Folder for the bytes of files, the same for all replicas; made when the first file comes
    #[arg(long, env = "FREEHOLD_FILES_DIR", default_value = "/var/lib/freehold/files")]
    pub files_dir: PathBuf,
    /// Bucket for the bytes of files, at Amazon or wherever the endpoint is
    #[arg(long, env = "FREEHOLD_FILES_S3_BUCKET")]
    pub files_s3_bucket: Option<String>,
    /// Endpoint of a store that speaks S3, such as `https://s3.example.com` [default: Amazon's]
    #[arg(long, env = "FREEHOLD_FILES_S3_ENDPOINT", requires = "files_s3_bucket")]
    pub files_s3_endpoint: Option<String>,
    /// Region of the bucket
    #[arg(long, env = "FREEHOLD_FILES_S3_REGION", default_value = "us-east-1")]
    pub files_s3_region: String,
    /// What all names in the bucket begin with, without a slash at the end
    #[arg(long, env = "FREEHOLD_FILES_S3_PREFIX", default_value = "freehold")]
    pub files_s3_prefix: String,
    #[command(flatten)]
    pub access_key_id: S3AccessKeyId,
    #[command(flatten)]
    pub secret_access_key: S3SecretAccessKey,
}

/// SHA-256 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where bytes are: whose they are, and what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub org: OrganizationId,
    pub sha256: Digest,
}

impl Address {
    /// The names of its folders and its own. They are made of hexadecimal digits and hyphens alone.
    fn segments(&self) -> [String; 3] {
        let name = self.sha256.to_string();
        [self.org.to_string(), name[..2].to_owned(), name]
    }
}

/// A storage. Clones are the same one.
#[derive(Clone, Debug)]
pub enum Storage {
    Folder(folder::Folder),
    S3(s3::S3),
}

/// Bytes on their way in, under a temporary name. Dropped, they are gone.
#[derive(Debug)]
pub enum Upload {
    Folder(folder::Upload),
    S3(s3::Upload),
}

/// Bytes that have all come and are durable, but have no address yet. Dropped, they are gone.
#[derive(Debug)]
pub enum Complete {
    Folder(folder::Upload),
    S3(s3::Upload),
}

impl Storage {
    /// The storage that the configuration names. Nothing is asked of it yet.
    pub fn open(config: &StorageConfig) -> anyhow::Result<Self> {
        let (id, secret) = (config.access_key_id.read()?, config.secret_access_key.read()?);
        let Some(bucket) = &config.files_s3_bucket else {
            return Ok(Self::Folder(folder::Folder::new(config.files_dir.clone())));
        };
        let (Some(id), Some(secret)) = (id, secret) else {
            bail!(
                "--files-s3-bucket needs --files-s3-access-key-id and --files-s3-secret-access-key"
            );
        };
        let store = s3::S3::new(config, bucket, &id, &secret).context("the bucket for files")?;
        Ok(Self::S3(store))
    }

    /// Begins to take bytes in.
    pub async fn begin(&self) -> Result<Upload> {
        Ok(match self {
            Self::Folder(it) => Upload::Folder(it.begin().await?),
            Self::S3(it) => Upload::S3(it.begin()),
        })
    }

    /// The bytes in `range` of those at `at`, which is known to lie within them. Fails at once when they are not there.
    pub async fn get(
        &self,
        at: Address,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        match self {
            Self::Folder(it) => it.get(at, range).await,
            Self::S3(it) => it.get(at, range).await,
        }
    }

    /// Removes the bytes at `at`, if they are there.
    pub async fn delete(&self, at: Address) -> Result<()> {
        match self {
            Self::Folder(it) => it.delete(at).await,
            Self::S3(it) => it.delete(at).await,
        }
    }

    /// Removes what uploads that died have left behind and that is older than `age`. Returns how much there was.
    pub async fn tidy(&self, age: Duration) -> Result<u64> {
        match self {
            Self::Folder(it) => it.tidy(age).await,
            Self::S3(it) => it.tidy(age).await,
        }
    }
}

impl Upload {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        match self {
            Self::Folder(it) => it.write(&bytes).await,
            Self::S3(it) => it.write(bytes).await,
        }
    }

    /// Says that there are no more. When this returns, all of them are durable.
    pub async fn complete(self) -> Result<Complete> {
        Ok(match self {
            Self::Folder(it) => Complete::Folder(it.complete().await?),
            Self::S3(it) => Complete::S3(it.complete().await?),
        })
    }
}

impl Complete {
    /// Gives the bytes their address, in place of the same ones if they are there already.
    pub async fn keep(self, at: Address) -> Result<()> {
        match self {
            Self::Folder(it) => it.keep(at).await,
            Self::S3(it) => it.keep(at).await,
        }
    }
}

/// The storage did not do what it was asked to. The log says why.
fn unavailable(what: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    tracing::warn!(what, error = %shared_db::error::chain(error), "the storage of files failed");
    let problem = "the storage of files does not answer; repeat in a moment";
    Error::Unavailable { reason: Reason::StorageUnavailable, problem: problem.into() }
}

/// Bytes are not there, or fewer than there were.
fn lost(at: Address) -> Error {
    damaged(at, "are not in the storage")
}

/// What is wrong with bytes that should be there.
pub fn damaged(at: Address, problem: &str) -> Error {
    let problem = format!("the bytes {} {problem}", at.sha256);
    Error::DataLoss { reason: Reason::FileDamaged, problem }
}
