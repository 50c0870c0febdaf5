//! Files: what comes in is whole or nothing, and what goes out is what came in.

mod bytes;
mod lists;
mod s3;
mod uploads;
mod urls;

use freehold_tests::stack::{Org, Stack};
use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fmt::Write, path::Path, time::Duration};
use tokio::time::{Instant, sleep};
use tonic::Status;
use web_api::v1 as pb;

/// Bytes that differ by their seed and do not repeat soon.
fn bytes(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[1]
    };
    (0..count).map(|_| next()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, it| {
        write!(text, "{it:02x}").unwrap();
        text
    })
}

/// The first message of an upload.
fn first(name: &str) -> pb::UploadFileRequest {
    let file = pb::File { name: name.to_owned(), ..pb::File::default() };
    pb::UploadFileRequest { file: Some(file), ..pb::UploadFileRequest::default() }
}

/// Messages that carry `bytes`, a quarter of a MiB each.
fn chunks(bytes: &[u8]) -> Vec<pb::UploadFileRequest> {
    let message = |it: &[u8]| pb::UploadFileRequest {
        chunk: it.to_vec(),
        ..pb::UploadFileRequest::default()
    };
    bytes.chunks(1 << 18).map(message).collect()
}

async fn send(org: &Org, messages: Vec<pb::UploadFileRequest>) -> Result<pb::File, Status> {
    let answer = org.developer().files().upload_file(stream::iter(messages)).await?;
    Ok(answer.into_inner())
}

/// Uploads a file of these bytes.
async fn upload(org: &Org, name: &str, bytes: &[u8]) -> Result<pb::File, Status> {
    send(org, [vec![first(name)], chunks(bytes)].concat()).await
}

/// The file as it comes first, and its bytes.
async fn download(
    org: &Org,
    id: &str,
    from: i64,
    limit: i64,
) -> Result<(pb::File, Vec<u8>), Status> {
    let request =
        pb::DownloadFileRequest { id: id.to_owned(), offset_bytes: from, limit_bytes: limit };
    let mut answers = org.viewer().files().download_file(request).await?.into_inner();
    let first = answers.message().await?.unwrap();
    assert!(first.chunk.is_empty());
    let mut bytes = Vec::new();
    while let Some(answer) = answers.message().await? {
        assert!(answer.file.is_none());
        assert!(answer.chunk.len() <= 1 << 20);
        bytes.extend(answer.chunk);
    }
    Ok((first.file.unwrap(), bytes))
}

async fn call(org: &Org, method: &str, request: Value) -> Result<Value, Status> {
    org.developer().call(&format!("FileService/{method}"), request).await
}

async fn delete(org: &Org, id: &str) {
    call(org, "DeleteFile", json!({ "id": id })).await.unwrap();
}

/// Every file below a folder: what the storage really holds.
fn on_disk(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|it| it.unwrap().path());
    let mut paths: Vec<_> = entries
        .flat_map(|it| if it.is_dir() { on_disk(&it) } else { vec![it.display().to_string()] })
        .collect();
    paths.sort();
    paths
}

/// What a stack of its own keeps.
fn kept(stack: &Stack) -> Vec<String> {
    on_disk(&stack.database.files_dir())
}

pub(super) async fn count(stack: &Stack, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from web.{table}"));
    sqlx::query_scalar(sql).fetch_one(&stack.database.superuser()).await.unwrap()
}

/// Waits until a table has as many rows.
pub(super) async fn until_count(stack: &Stack, table: &str, rows: i64) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while count(stack, table).await != rows {
        assert!(Instant::now() < give_up, "{table} never had {rows} rows");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Asserts that there is nothing of any file: no row, no bytes, nothing half written.
async fn assert_nothing(stack: &Stack) {
    assert_eq!((count(stack, "files").await, count(stack, "file_blobs").await), (0, 0));
    assert_eq!(kept(stack), Vec::<String>::new());
}
