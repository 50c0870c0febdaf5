//! The objects of the fake's one bucket, and the requests that it knows.

use super::{BUCKET, error, reply, signature::hex};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{Method, Response, StatusCode, request::Parts};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use shared_db::clock::Clock;
use std::{collections::BTreeMap, fmt::Write};

/// S3 wants this many bytes of each part but the last.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

type Answer = Response<Full<Bytes>>;

#[derive(Clone, Debug)]
struct Object {
    bytes: Bytes,
    modified: DateTime<Utc>,
}

impl Object {
    fn etag(&self) -> String {
        etag(&self.bytes)
    }
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    parts: BTreeMap<u32, Bytes>,
}

#[derive(Debug, Default)]
pub(super) struct Objects {
    by_key: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    begun: u64,
}

impl Objects {
    pub(super) fn keys(&self) -> Vec<String> {
        self.by_key.keys().cloned().collect()
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    pub(super) fn damage(&mut self, key: &str) {
        let object = self.by_key.get_mut(key).expect("there is such an object");
        let mut bytes = object.bytes.to_vec();
        bytes[0] ^= 1;
        object.bytes = bytes.into();
    }

    /// Does what a request that was signed asks for.
    pub(super) fn answer(&mut self, head: &Parts, body: Bytes) -> Answer {
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if bucket != BUCKET {
            return error(StatusCode::NOT_FOUND, "NoSuchBucket");
        }
        let query = |name: &str| parameter(head.uri.query(), name);
        let upload = query("uploadId");
        match (&head.method, upload) {
            (&Method::GET, _) if key.is_empty() => self.list(&query("prefix").unwrap_or_default()),
            (&Method::GET | &Method::HEAD, None) => self.get(key, head),
            (&Method::POST, None) if query("uploads").is_some() => self.begin(key),
            (&Method::PUT, Some(id)) => self.put_part(&id, query("partNumber"), body),
            (&Method::POST, Some(id)) => self.complete(&id, key, &body),
            (&Method::DELETE, Some(id)) => match self.uploads.remove(&id) {
                Some(_) => reply(StatusCode::NO_CONTENT, &[], ""),
                None => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
            },
            (&Method::PUT, None) => match head.headers.get("x-amz-copy-source") {
                Some(from) => self.copy(from.to_str().unwrap_or_default(), key),
                None => self.put(key, body),
            },
            (&Method::DELETE, None) => {
                self.by_key.remove(key);
                reply(StatusCode::NO_CONTENT, &[], "")
            }
            _ => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }

    fn put(&mut self, key: &str, bytes: Bytes) -> Answer {
        let object = Object { bytes, modified: Clock::System.now() };
        let etag = object.etag();
        self.by_key.insert(key.to_owned(), object);
        reply(StatusCode::OK, &[("etag", &etag)], "")
    }

    fn copy(&mut self, from: &str, to: &str) -> Answer {
        let from = from.trim_start_matches('/').strip_prefix(BUCKET).unwrap_or_default();
        let Some(object) = self.by_key.get(from.trim_start_matches('/')).cloned() else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let etag = object.etag();
        self.put(to, object.bytes);
        let xml = format!("<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>");
        reply(StatusCode::OK, &[("content-type", "application/xml")], xml)
    }

    fn get(&self, key: &str, head: &Parts) -> Answer {
        let Some(object) = self.by_key.get(key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let size = object.bytes.len();
        let modified = object.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let etag = object.etag();
        let known = [("etag", etag.as_str()), ("last-modified", modified.as_str())];
        let range = head.headers.get("range").and_then(|it| it.to_str().ok());
        let Some(range) = range.and_then(|it| it.strip_prefix("bytes=")?.split_once('-')) else {
            return reply(StatusCode::OK, &known, object.bytes.clone());
        };
        let first: usize = range.0.parse().unwrap_or(usize::MAX);
        let last = range.1.parse().unwrap_or(usize::MAX).min(size.saturating_sub(1));
        if size <= first || last < first {
            return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
        }
        let content_range = format!("bytes {first}-{last}/{size}");
        let known = [known[0], known[1], ("content-range", content_range.as_str())];
        reply(StatusCode::PARTIAL_CONTENT, &known, object.bytes.slice(first..=last))
    }

    fn list(&self, prefix: &str) -> Answer {
        let mut xml = "<ListBucketResult>".to_owned();
        for (key, object) in self.by_key.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let modified = object.modified.to_rfc3339_opts(SecondsFormat::Millis, true);
            let (etag, size) = (object.etag(), object.bytes.len());
            write!(
                xml,
                "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>"
            )
            .expect("a String takes it");
        }
        xml += "</ListBucketResult>";
        reply(StatusCode::OK, &[("content-type", "application/xml")], xml)
    }

    fn begin(&mut self, key: &str) -> Answer {
        self.begun += 1;
        let id = format!("upload-{}", self.begun);
        self.uploads.insert(id.clone(), Upload { key: key.to_owned(), ..Upload::default() });
        let xml = format!(
            "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        );
        reply(StatusCode::OK, &[("content-type", "application/xml")], xml)
    }

    fn put_part(&mut self, id: &str, number: Option<String>, bytes: Bytes) -> Answer {
        let number = number.and_then(|it| it.parse().ok()).filter(|it| (1..=10_000).contains(it));
        match (self.uploads.get_mut(id), number) {
            (None, _) => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
            (_, None) => error(StatusCode::BAD_REQUEST, "InvalidArgument"),
            (Some(upload), Some(number)) => {
                let etag = etag(&bytes);
                upload.parts.insert(number, bytes);
                reply(StatusCode::OK, &[("etag", &etag)], "")
            }
        }
    }

    fn complete(&mut self, id: &str, key: &str, body: &[u8]) -> Answer {
        let Some(upload) = self.uploads.get(id).filter(|it| it.key == key) else {
            return error(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let text = String::from_utf8_lossy(body);
        let named = parts_in(&text);
        let there: Vec<_> = upload.parts.iter().map(|(number, it)| (*number, etag(it))).collect();
        if named != there {
            return error(StatusCode::BAD_REQUEST, "InvalidPart");
        }
        let short = upload.parts.values().rev().skip(1).any(|it| it.len() < PART_BYTES_MIN);
        if short {
            return error(StatusCode::BAD_REQUEST, "EntityTooSmall");
        }
        let bytes: Vec<u8> = upload.parts.values().flatten().copied().collect();
        self.uploads.remove(id);
        self.put(key, bytes.into());
        let etag = self.by_key.get(key).map(Object::etag).unwrap_or_default();
        let xml = format!(
            "<CompleteMultipartUploadResult><Key>{key}</Key><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
        );
        reply(StatusCode::OK, &[("content-type", "application/xml")], xml)
    }
}

/// Numbers and tags in the body of a request that completes an upload.
fn parts_in(xml: &str) -> Vec<(u32, String)> {
    let inside = |text: &str, tag: &str| {
        let from = text.find(&format!("<{tag}>"))? + tag.len() + 2;
        let to = text.find(&format!("</{tag}>"))?;
        text.get(from..to).map(|it| it.replace("&quot;", "\""))
    };
    let parts = xml.split("<Part>").skip(1);
    let parts =
        parts.filter_map(|it| Some((inside(it, "PartNumber")?.parse().ok()?, inside(it, "ETag")?)));
    parts.collect()
}

/// The value of a parameter, decoded; empty when it has none.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query.unwrap_or_default().split('&');
    let mut pairs = pairs.map(|it| it.split_once('=').unwrap_or((it, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.replace("%2F", "/"))
}

/// Opaque to clients. Amazon's is an MD5.
fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(bytes))[..32])
}
