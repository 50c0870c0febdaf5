//! Files in a bucket. The store is a fake (`freehold_tests::s3`) that speaks S3's wire protocol and checks signatures.

use super::{
    bytes, chunks, count, delete, download, first, kept, send, sha256, until_count, upload,
    uploads::until,
};
use freehold_tests::{
    errors::assert_fails,
    s3::{BUCKET, FakeS3},
    stack::{Builder, Stack},
};
use shared_db::error::Reason;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use web_api::v1 as pb;

/// web-service with its files in the fake.
fn on(s3: &FakeS3) -> Builder {
    let builder = Stack::builder().without_runtime();
    s3.settings().into_iter().fold(builder, |builder, (name, value)| builder.set_web(name, &value))
}

/// More than two parts.
const LARGE: usize = 20_000_000;

#[tokio::test]
async fn small_and_large_files_come_back_whole_and_in_parts() {
    let s3 = FakeS3::start().await;
    let stack = on(&s3).start().await;
    let org = stack.organization().await;
    for (seed, size) in [(60, 0), (61, 1), (62, 8 << 20), (63, (8 << 20) + 1), (64, LARGE)] {
        let data = bytes(seed, size);
        let file = upload(&org, "a", &data).await.unwrap();
        assert_eq!(file.sha256, sha256(&data), "{size}");
        assert!(download(&org, &file.id, 0, 0).await.unwrap().1 == data, "{size}");
        let half = i64::try_from(size / 2).unwrap();
        let part = download(&org, &file.id, half, 1000).await.unwrap().1;
        let expected: Vec<_> = data[size / 2..].iter().take(1000).copied().collect();
        assert!(part == expected, "{size}");
        let key = format!("freehold/{}/{}/{}", org.id, &file.sha256[..2], file.sha256);
        assert!(s3.keys().contains(&key), "{key} is among {:?}", s3.keys());
    }
    until(|| s3.keys().len() == 5).await;
    assert_eq!(s3.open_uploads(), 0);
    assert_eq!(kept(&stack), Vec::<String>::new(), "nothing is on the disk");
    let refused: Vec<_> = s3.asked().into_iter().filter(|it| 400 <= it.status).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(s3.asked().iter().all(|it| it.target.starts_with(&format!("/{BUCKET}"))));
}

#[tokio::test]
async fn uploads_that_fail_leave_no_object_and_no_parts() {
    let s3 = FakeS3::start().await;
    let stack = on(&s3).start().await;
    let org = stack.organization().await;
    for size in [1000, LARGE] {
        let wrong = pb::UploadFileRequest { expected_sha256: sha256(b"another"), ..first("a") };
        let result = send(&org, [vec![wrong], chunks(&bytes(65, size))].concat()).await;
        let reason = Reason::FileChecksumMismatch;
        assert_fails(result, Code::InvalidArgument, reason, "expected_sha256");
    }
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let caller = org.developer();
    let call = tokio::spawn(async move {
        caller.files().upload_file(ReceiverStream::new(messages)).await.map(drop)
    });
    sender.send(first("a")).await.unwrap();
    for message in chunks(&bytes(66, LARGE)) {
        sender.send(message).await.unwrap();
    }
    until(|| s3.open_uploads() == 1).await;
    call.abort();
    until(|| s3.open_uploads() == 0).await;
    assert_eq!(s3.keys(), Vec::<String>::new());
    assert_eq!((count(&stack, "files").await, count(&stack, "file_blobs").await), (0, 0));
}

#[tokio::test]
async fn a_store_that_refuses_us_or_is_down_takes_nothing() {
    let s3 = FakeS3::start().await;
    let stack = on(&s3).set_web("FILES_S3_SECRET_ACCESS_KEY", "not the secret").start().await;
    let org = stack.organization().await;
    let result = upload(&org, "a", b"x").await;
    let status = assert_fails(result, Code::Unavailable, Reason::StorageUnavailable, None);
    assert!(!format!("{status:?}").contains("secret"));
    assert!(s3.asked().iter().all(|it| it.status == 403), "{:?}", s3.asked());
    assert_eq!(count(&stack, "files").await, 0);

    let stack = on(&s3).start().await;
    let org = stack.organization().await;
    let file = upload(&org, "a", b"x").await.unwrap();
    s3.set_down(true);
    let result = upload(&org, "b", b"y").await;
    assert_fails(result, Code::Unavailable, Reason::StorageUnavailable, None);
    let result = download(&org, &file.id, 0, 0).await;
    assert_fails(result, Code::Unavailable, Reason::StorageUnavailable, None);
    s3.set_down(false);
    assert_eq!(download(&org, &file.id, 0, 0).await.unwrap().1, b"x");
}

#[tokio::test]
async fn bytes_go_with_the_last_file_that_has_them() {
    let s3 = FakeS3::start().await;
    let stack = on(&s3)
        .set_web("FILES_UNDELETE_WINDOW", "0s")
        .set_web("FILES_SWEEP_INTERVAL", "50ms")
        .set_web("FILES_SWEEP_GRACE", "1ms")
        .start()
        .await;
    let org = stack.organization().await;
    let data = bytes(67, 1000);
    let (one, two) =
        (upload(&org, "a", &data).await.unwrap(), upload(&org, "b", &data).await.unwrap());
    assert_eq!(s3.keys().len(), 1);
    delete(&org, &one.id).await;
    until_count(&stack, "files", 1).await;
    assert_eq!(download(&org, &two.id, 0, 0).await.unwrap().1, data);
    delete(&org, &two.id).await;
    until(|| s3.keys().is_empty()).await;
}

#[tokio::test]
async fn damaged_objects_are_not_passed_off_as_good() {
    let s3 = FakeS3::start().await;
    let stack = on(&s3).start().await;
    let org = stack.organization().await;
    let file = upload(&org, "a", &bytes(68, 1000)).await.unwrap();
    s3.damage(&s3.keys()[0]);
    let result = download(&org, &file.id, 0, 0).await;
    assert_fails(result, Code::DataLoss, Reason::FileDamaged, None);
}

#[tokio::test]
async fn a_bucket_without_a_key_keeps_the_service_from_starting() {
    let s3 = FakeS3::start().await;
    let arguments = s3
        .settings()
        .into_iter()
        .take(3)
        .map(|(name, value)| format!("--{}={value}", name.to_lowercase().replace('_', "-")));
    let arguments = ["web-service".to_owned()].into_iter().chain(arguments);
    let config = <web_service::Config as clap::Parser>::try_parse_from(
        arguments.chain(["--runtime-url=http://127.0.0.1:1".to_owned()]),
    );
    let error = web_service::storage::Storage::open(&config.unwrap().files.storage).unwrap_err();
    assert!(error.to_string().contains("files-s3-access-key-id"), "{error}");
}
