//! The messages of an upload: the first says what comes, that one and those after it carry the bytes.

use crate::{api::request, app::files::Expected, storage::Digest, store::apps::files::NewFile};
use bytes::Bytes;
use futures_util::{
    Stream,
    stream::{self, StreamExt},
};
use shared_db::{
    error::{Error, Result},
    service::Incoming,
};
use web_api::v1 as pb;

const MEDIA_TYPE_DEFAULT: &str = "application/octet-stream";

/// What the first message said.
pub(super) struct Upload {
    pub(super) new: NewFile,
    pub(super) expected: Expected,
    pub(super) chunk: Bytes,
}

pub(super) fn begin(first: Option<pb::UploadFileRequest>) -> Result<Upload> {
    let first = request::required("file", first)?;
    let file = request::required("file", first.file)?;
    let folder = file.folder_id.as_deref().unwrap_or_default();
    let folder_id = request::id_if_any("file.folder_id", folder)?;
    let media_type = match file.media_type {
        it if it.is_empty() => MEDIA_TYPE_DEFAULT.to_owned(),
        it => it,
    };
    let (name, tags, description) = (file.name, file.tags, file.description);
    let size_bytes = first.expected_size_bytes.map(u64::try_from).transpose();
    let expected = Expected {
        size_bytes: size_bytes
            .map_err(|_| Error::invalid("expected_size_bytes", "must not be negative"))?,
        sha256: Digest::from_hex(&first.expected_sha256),
    };
    Ok(Upload {
        new: NewFile { folder_id, name, media_type, tags, description },
        expected,
        chunk: first.chunk.into(),
    })
}

/// The bytes of the first message and of all that follow.
pub(super) fn chunks(
    first: Bytes,
    messages: Incoming<pb::UploadFileRequest>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let rest = stream::try_unfold(messages, |mut messages| async move {
        let Some(message) = messages.next().await? else { return Ok(None) };
        Ok(Some((following(message)?, messages)))
    });
    stream::iter([Ok(first)]).chain(rest)
}

/// The bytes of a message that is not the first.
fn following(message: pb::UploadFileRequest) -> Result<Bytes> {
    let said = [
        ("file", message.file.is_some()),
        ("expected_size_bytes", message.expected_size_bytes.is_some()),
        ("expected_sha256", !message.expected_sha256.is_empty()),
    ];
    match said.iter().find(|(_, there)| *there) {
        Some((field, _)) => Err(Error::invalid(*field, "stands in the first message alone")),
        None => Ok(message.chunk.into()),
    }
}
