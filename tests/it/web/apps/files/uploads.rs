//! Uploads that go wrong leave nothing; those that go well are read back.

use super::{assert_nothing, bytes, call, chunks, download, first, kept, send, sha256, upload};
use freehold_tests::{errors::assert_fails, stack::Stack};
use serde_json::json;
use shared_db::error::Reason;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use web_api::v1 as pb;

#[tokio::test]
async fn a_file_that_is_too_large_leaves_nothing() {
    let stack =
        Stack::builder().without_runtime().set_web("FILE_BYTES_MAX", "1000000").start().await;
    let org = stack.organization().await;
    let result = upload(&org, "large", &bytes(1, 1_000_001)).await;
    let status = assert_fails(result, Code::ResourceExhausted, Reason::FileTooLarge, None);
    assert!(status.message().contains("1000000"), "{status:?}");

    // Told beforehand, no bytes are waited for: the stream is still open when the answer comes.
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let large = pb::UploadFileRequest { expected_size_bytes: Some(1_000_001), ..first("large") };
    sender.send(large).await.unwrap();
    let result = org.developer().files().upload_file(ReceiverStream::new(messages)).await;
    assert_fails(result, Code::ResourceExhausted, Reason::FileTooLarge, None);
    assert_nothing(&stack).await;

    upload(&org, "just right", &bytes(1, 1_000_000)).await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_not_what_was_announced_leave_nothing() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let data = bytes(2, 700_000);
    let with = |first: pb::UploadFileRequest| [vec![first], chunks(&data)].concat();
    for size in [0, 699_999, 700_001] {
        let message = pb::UploadFileRequest { expected_size_bytes: Some(size), ..first("a") };
        let field = "expected_size_bytes";
        let result = send(&org, with(message)).await;
        assert_fails(result, Code::InvalidArgument, Reason::FileSizeMismatch, field);
    }
    let other = sha256(&bytes(3, 700_000));
    let message = pb::UploadFileRequest { expected_sha256: other, ..first("a") };
    let field = "expected_sha256";
    let result = send(&org, with(message)).await;
    let status = assert_fails(result, Code::InvalidArgument, Reason::FileChecksumMismatch, field);
    assert!(status.message().contains(&sha256(&data)), "it says what came: {status:?}");
    assert_nothing(&stack).await;

    let message = pb::UploadFileRequest {
        expected_size_bytes: Some(700_000),
        expected_sha256: sha256(&data).to_uppercase(),
        ..first("a")
    };
    let file = send(&org, with(message)).await.unwrap();
    assert_eq!((file.size_bytes, file.sha256), (700_000, sha256(&data)));
}

#[tokio::test]
async fn messages_that_make_no_upload_are_refused_and_leave_nothing() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let chunk = |count| pb::UploadFileRequest {
        chunk: bytes(4, count),
        ..pb::UploadFileRequest::default()
    };
    let sized = |size| pb::UploadFileRequest { expected_size_bytes: Some(size), ..chunk(1) };
    let digest = |it: &str| pb::UploadFileRequest { expected_sha256: it.to_owned(), ..first("a") };
    let typed = |it: &str| {
        let file = pb::File { media_type: it.to_owned(), ..first("a").file.unwrap() };
        pb::UploadFileRequest { file: Some(file), ..first("a") }
    };
    for (messages, field) in [
        (vec![], "file"),
        (vec![chunk(10)], "file"),
        (vec![first("a"), first("b")], "file"),
        (vec![first("a"), chunk(10), first("a")], "file"),
        (vec![first("a"), sized(1)], "expected_size_bytes"),
        (
            vec![first("a"), pb::UploadFileRequest { file: None, ..digest(&"a".repeat(64)) }],
            "expected_sha256",
        ),
        (vec![first("a"), chunk(1 << 20), chunk((1 << 20) + 1)], "chunk"),
        (vec![first("")], "file.name"),
        (vec![digest("abc")], "expected_sha256"),
        (vec![digest(&"g".repeat(64))], "expected_sha256"),
        (
            vec![pb::UploadFileRequest { expected_size_bytes: Some(-1), ..first("a") }],
            "expected_size_bytes",
        ),
        (vec![typed("html")], "file.media_type"),
        (vec![typed("text/html\r\nx: y")], "file.media_type"),
    ] {
        let result = send(&org, messages).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
    assert_nothing(&stack).await;
}

#[tokio::test]
async fn a_caller_who_goes_away_in_the_middle_leaves_nothing() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let caller = org.developer();
    let call = tokio::spawn(async move {
        caller.files().upload_file(ReceiverStream::new(messages)).await.map(drop)
    });
    sender.send(first("a")).await.unwrap();
    for message in chunks(&bytes(5, 2_000_000)) {
        sender.send(message).await.unwrap();
    }
    until(|| kept(&stack).len() == 1).await;
    call.abort();
    until(|| kept(&stack).is_empty()).await;
    assert_nothing(&stack).await;
}

#[tokio::test]
async fn a_caller_who_falls_silent_is_not_waited_for() {
    let stack =
        Stack::builder().without_runtime().set_web("STREAM_SILENCE_MAX", "300ms").start().await;
    let org = stack.organization().await;
    let (sender, messages) = tokio::sync::mpsc::channel(8);
    sender.send(first("a")).await.unwrap();
    sender.send(chunks(&bytes(6, 1000)).remove(0)).await.unwrap();
    let result = org.developer().files().upload_file(ReceiverStream::new(messages)).await;
    assert_fails(result, Code::DeadlineExceeded, Reason::DeadlineExceeded, None);
    assert_nothing(&stack).await;
}

/// The deadline of a call is that of the whole upload when the caller names one.
#[tokio::test]
async fn a_deadline_ends_an_upload() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let (sender, messages) = tokio::sync::mpsc::channel(8);
    sender.send(first("a")).await.unwrap();
    let mut request = tonic::Request::new(ReceiverStream::new(messages));
    request.set_timeout(Duration::from_millis(400));
    let result = org.developer().files().upload_file(request).await;
    assert_eq!(result.unwrap_err().code(), Code::DeadlineExceeded);
    until(|| kept(&stack).is_empty()).await;
    assert_nothing(&stack).await;
}

#[tokio::test]
async fn an_upload_may_take_longer_than_any_other_call() {
    let stack = Stack::builder()
        .without_runtime()
        .set_web("DEADLINE_DEFAULT", "2s")
        .set_web("DEADLINE_MAX", "2s")
        .start()
        .await;
    let org = stack.organization().await;
    let data = bytes(7, 3 << 18);
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let slow = async {
        sender.send(first("slow")).await.unwrap();
        for message in chunks(&data) {
            sleep(Duration::from_millis(800)).await;
            sender.send(message).await.unwrap();
        }
        drop(sender);
    };
    let caller = org.developer();
    let mut files = caller.files();
    let (file, ()) = tokio::join!(files.upload_file(ReceiverStream::new(messages)), slow);
    let file = file.unwrap().into_inner();
    assert_eq!(download(&org, &file.id, 0, 0).await.unwrap().1, data);
}

#[tokio::test]
async fn an_upload_under_way_is_finished_when_the_service_stops() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let caller = org.developer();
    let call =
        tokio::spawn(
            async move { caller.files().upload_file(ReceiverStream::new(messages)).await },
        );
    sender.send(first("a")).await.unwrap();
    let data = bytes(8, 2 << 18);
    let mut rest = chunks(&data).into_iter();
    sender.send(rest.next().unwrap()).await.unwrap();
    until(|| kept(&stack).len() == 1).await;
    stack.web.stop.cancel();
    sleep(Duration::from_millis(200)).await;
    for message in rest {
        sender.send(message).await.unwrap();
    }
    drop(sender);
    assert_eq!(call.await.unwrap().unwrap().into_inner().sha256, sha256(&data));
}

#[tokio::test]
async fn what_was_uploaded_comes_back_whole_and_in_parts() {
    let org = Stack::shared().await.organization().await;
    let data = bytes(9, 3_000_001);
    let file = upload(&org, "data.bin", &data).await.unwrap();
    assert_eq!(file.media_type, "application/octet-stream");
    assert_eq!(file.created_by, Some(org.developer.user_id.clone()));
    let end = i64::try_from(data.len()).unwrap();
    for (from, limit, expected) in [
        (0, 0, &data[..]),
        (0, 1, &data[..1]),
        (1, 0, &data[1..]),
        (1_234_567, 1_000_000, &data[1_234_567..2_234_567]),
        (end - 1, 5, &data[data.len() - 1..]),
        (end, 0, &[]),
        (i64::MAX, i64::MAX, &[]),
    ] {
        let (first, got) = download(&org, &file.id, from, limit).await.unwrap();
        assert_eq!(first, file);
        assert!(got == expected, "{} bytes from {from}", got.len());
    }
    for (from, limit) in [(-1, 0), (0, -1)] {
        let field = if from < 0 { "offset_bytes" } else { "limit_bytes" };
        let result = download(&org, &file.id, from, limit).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
}

#[tokio::test]
async fn a_file_may_be_empty() {
    let org = Stack::shared().await.organization().await;
    let file = upload(&org, "empty", &[]).await.unwrap();
    assert_eq!((file.size_bytes, &file.sha256), (0, &sha256(&[])));
    assert_eq!(download(&org, &file.id, 0, 0).await.unwrap().1, Vec::<u8>::new());
}

#[tokio::test]
async fn each_change_is_in_the_trail() {
    let org = Stack::shared().await.organization().await;
    let file = upload(&org, "a", b"x").await.unwrap();
    let id = json!({ "id": file.id });
    let changed = json!({ "file": { "id": file.id, "name": "b" }, "update_mask": ["name"] });
    call(&org, "UpdateFile", changed).await.unwrap();
    call(&org, "CreateFileUrl", id.clone()).await.unwrap();
    call(&org, "DeleteFile", id.clone()).await.unwrap();
    call(&org, "UndeleteFile", id).await.unwrap();
    let request = json!({ "resource_type": "file", "resource_id": file.id });
    let trail = org.admin().call("ActivityService/ListActivities", request).await.unwrap();
    let trail = trail["activities"].as_array().unwrap();
    let actions: Vec<_> = trail.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        ["UndeleteFile", "DeleteFile", "CreateFileUrl", "UpdateFile", "UploadFile"]
    );
    assert_eq!(trail[3]["fields"], json!(["name"]));
}

/// Waits until something is so.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < give_up, "it never was so");
        sleep(Duration::from_millis(20)).await;
    }
}
