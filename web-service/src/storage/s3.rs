//! A bucket of a store that speaks S3: `<prefix>/tmp/<id>` for what is on its way in, `<prefix>/<organization>/<first two
//! digits>/<sha256>` for what is whole.
//!
//! S3 has no renaming. Bytes that fit into one part wait in memory and are put to their address in one request, which is all or
//! nothing; more than that are uploaded in parts under a temporary name, and then copied within the store.

use super::{Address, StorageConfig, lost, unavailable};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectStore,
    ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use shared_db::{
    clock::Clock,
    error::{Error, Result, chain},
    ids::FileId,
    service::Secret,
};
use std::{fmt, ops::Range, sync::Arc, time::Duration};

/// All parts but the last are as long as this: stores ask for 5 MiB at least, and some for the same length of all.
const PART_BYTES: usize = 8 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence of the store in the middle of a request. There is no limit to how long a request takes while bytes go on.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct S3 {
    store: Arc<AmazonS3>,
    prefix: Path,
}

/// Bytes on their way in.
pub struct Upload {
    s3: S3,
    /// What has not been sent.
    buffer: BytesMut,
    /// Where the parts go, once there are more bytes than fit into one.
    temporary: Option<Temporary>,
}

/// An object under a temporary name, which goes with this value.
struct Temporary {
    store: Arc<AmazonS3>,
    path: Path,
    /// The parts, until they have become an object.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl S3 {
    pub(super) fn new(
        config: &StorageConfig,
        bucket: &str,
        access_key_id: &Secret,
        secret_access_key: &Secret,
    ) -> anyhow::Result<Self> {
        let plaintext =
            config.files_s3_endpoint.as_ref().is_some_and(|it| it.starts_with("http://"));
        let client = ClientOptions::new()
            .with_allow_http(plaintext)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_read_timeout(READ_TIMEOUT)
            .with_timeout_disabled();
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&config.files_s3_region)
            .with_access_key_id(access_key_id.expose())
            .with_secret_access_key(secret_access_key.expose())
            .with_client_options(client)
            .with_retry(retry)
            // Not every store that speaks S3 knows how to delete many at once.
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = &config.files_s3_endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let prefix = Path::parse(&config.files_s3_prefix)?;
        Ok(Self { store: Arc::new(builder.build()?), prefix })
    }

    pub(super) fn begin(&self) -> Upload {
        Upload { s3: self.clone(), buffer: BytesMut::new(), temporary: None }
    }

    pub(super) async fn get(
        &self,
        at: Address,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
        match self.store.get_opts(&self.path(at), options).await {
            Ok(got) => Ok(got.into_stream().map_err(|error| failed("read", &error)).boxed()),
            Err(object_store::Error::NotFound { .. }) => Err(lost(at)),
            Err(error) => Err(failed("get", &error)),
        }
    }

    pub(super) async fn delete(&self, at: Address) -> Result<()> {
        match self.store.delete(&self.path(at)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &error)),
        }
    }

    pub(super) async fn tidy(&self, age: Duration) -> Result<u64> {
        let folder = self.prefix.clone().join("tmp");
        let objects: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(|error| failed("list", &error))?;
        let before = Clock::System.now() - age;
        let mut removed = 0;
        for object in objects.into_iter().filter(|it| it.last_modified < before) {
            let done = self.store.delete(&object.location).await;
            done.map_err(|error| failed("delete", &error))?;
            removed += 1;
        }
        Ok(removed)
    }

    fn path(&self, at: Address) -> Path {
        at.segments().iter().fold(self.prefix.clone(), |path, it| path.join(it.as_str()))
    }

    async fn begin_parts(&self) -> Result<Temporary> {
        let path = self.prefix.clone().join("tmp").join(FileId::generate().to_string());
        let parts = self.store.put_multipart(&path).await;
        let parts = parts.map_err(|error| failed("begin parts", &error))?;
        Ok(Temporary { store: self.store.clone(), path, parts: Some(parts) })
    }
}

impl Upload {
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.buffer.extend_from_slice(&bytes);
        while PART_BYTES < self.buffer.len() {
            let part = self.buffer.split_to(PART_BYTES).freeze();
            if self.temporary.is_none() {
                self.temporary = Some(self.s3.begin_parts().await?);
            }
            if let Some(temporary) = &mut self.temporary {
                temporary.put_part(part).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn complete(mut self) -> Result<Self> {
        if let Some(temporary) = &mut self.temporary {
            temporary.put_part(self.buffer.split().freeze()).await?;
            temporary.complete().await?;
        }
        Ok(self)
    }

    pub(super) async fn keep(mut self, at: Address) -> Result<()> {
        let path = self.s3.path(at);
        let kept = if let Some(temporary) = &self.temporary {
            self.s3.store.copy(&temporary.path, &path).await
        } else {
            let put = self.s3.store.put(&path, self.buffer.split().freeze().into()).await;
            put.map(|_| ())
        };
        kept.map_err(|error| failed("keep", &error))
    }
}

impl Temporary {
    async fn put_part(&mut self, part: Bytes) -> Result<()> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.put_part(part.into()).await.map_err(|error| failed("put a part", &error))
    }

    async fn complete(&mut self) -> Result<()> {
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.complete().await.map_err(|error| failed("complete parts", &error))?;
        self.parts = None;
        Ok(())
    }
}

impl Drop for Temporary {
    /// What can not be removed now is found by the sweep; parts, by the rule that a bucket has for them.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (store, path, parts) = (self.store.clone(), self.path.clone(), self.parts.take());
        runtime.spawn(async move {
            let removed = match parts {
                Some(mut parts) => parts.abort().await,
                None => store.delete(&path).await,
            };
            if let Err(error) = removed {
                tracing::warn!(%error, "an unfinished upload is left behind until it is swept");
            }
        });
    }
}

/// The store did not do what it was asked to.
fn failed(what: &str, error: &object_store::Error) -> Error {
    unavailable(what, &Told(told(&chain(error).to_string())))
}

/// What the log has of an error of the store.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

/// An error without the answer that it quotes, but for the code in it: an answer to a signature that is wrong repeats all that was
/// signed, and with what key.
fn told(text: &str) -> String {
    let Some((told, answer)) = text.split_once('<') else { return text.to_owned() };
    let code = answer.split_once("<Code>").and_then(|(_, it)| it.split_once("</Code>"));
    format!("{told}{}", code.map_or("…", |(code, _)| code))
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("s3", &self.s3).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_does_not_repeat_what_was_signed() {
        let answer = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AK</AWSAccessKeyId></Error>";
        let text = format!("Error performing PUT http://s/b/k - 403 Forbidden: {answer}");
        let expected = "Error performing PUT http://s/b/k - 403 Forbidden: SignatureDoesNotMatch";
        assert_eq!(told(&text), expected);
        assert_eq!(told("403: <html>AK</html>"), "403: …");
        assert_eq!(told("connection refused"), "connection refused");
    }
}
