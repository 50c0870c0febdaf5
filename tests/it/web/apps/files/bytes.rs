//! Which bytes are kept: each once in an organization, for as long as a file has them, and never for another organization.

use super::{
    bytes, call, count, delete, download, kept, sha256, until_count, upload, uploads::until,
};
use freehold_tests::{
    errors::assert_fails,
    stack::{Builder, Stack},
};
use serde_json::json;
use shared_db::error::Reason;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;
use tonic::Code;

/// A stack that forgets what is deleted almost at once.
fn forgetful() -> Builder {
    Stack::builder()
        .without_runtime()
        .set_web("FILES_UNDELETE_WINDOW", "0s")
        .set_web("FILES_SWEEP_INTERVAL", "50ms")
        .set_web("FILES_SWEEP_GRACE", "1ms")
}

#[tokio::test]
async fn the_same_bytes_are_kept_once_in_an_organization_and_apart_in_two() {
    let stack = Stack::builder().without_runtime().start().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let data = bytes(20, 1000);
    let first = upload(&org, "a", &data).await.unwrap();
    let second = upload(&org, "b", &data).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!((count(&stack, "files").await, count(&stack, "file_blobs").await), (2, 1));
    assert_eq!(kept(&stack).len(), 1);

    // Another organization's own copy tells nothing of the first.
    let theirs = upload(&other, "a", &data).await.unwrap();
    assert_eq!((count(&stack, "files").await, count(&stack, "file_blobs").await), (3, 2));
    let paths = kept(&stack);
    assert_eq!(paths.len(), 2);
    for org in [&org, &other] {
        let own = paths.iter().filter(|it| it.contains(&org.id) && it.contains(&sha256(&data)));
        assert_eq!(own.count(), 1, "{paths:?}");
    }
    assert_eq!(download(&other, &theirs.id, 0, 0).await.unwrap().1, data);
}

#[tokio::test]
async fn bytes_go_with_the_last_file_that_has_them() {
    let stack = forgetful().start().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let data = bytes(21, 100_000);
    let (one, two) =
        (upload(&org, "a", &data).await.unwrap(), upload(&org, "b", &data).await.unwrap());
    let theirs = upload(&other, "a", &data).await.unwrap();
    delete(&org, &one.id).await;
    until_count(&stack, "files", 2).await;
    assert_eq!(download(&org, &two.id, 0, 0).await.unwrap().1, data);
    delete(&org, &two.id).await;
    until(|| kept(&stack).len() == 1).await;
    assert_eq!(download(&other, &theirs.id, 0, 0).await.unwrap().1, data);
    until_count(&stack, "file_blobs", 1).await;

    // And come back with the next.
    let again = upload(&org, "c", &data).await.unwrap();
    assert_eq!(download(&org, &again.id, 0, 0).await.unwrap().1, data);
}

/// The sweep looks all the time, and the bytes are the same each time: were it not for their lock, a file would name bytes that the
/// sweep has just taken away.
#[tokio::test]
async fn no_sweep_takes_away_what_is_uploaded_at_the_same_time() {
    let stack = forgetful().set_web("FILES_SWEEP_INTERVAL", "1ms").start().await;
    let org = stack.organization().await;
    let data = bytes(22, 1000);
    let mut swept = 0;
    for round in 0..100 {
        // Sometimes before the sweep, sometimes after it, and sometimes just then.
        sleep(Duration::from_millis(round % 2 * (round % 25))).await;
        swept += u32::from(kept(&stack).is_empty());
        let (one, two) = tokio::join!(upload(&org, "a", &data), upload(&org, "b", &data));
        for file in [one.unwrap(), two.unwrap()] {
            let got = download(&org, &file.id, 0, 0).await;
            assert_eq!(got.unwrap_or_else(|it| panic!("round {round}: {it:?}")).1, data);
            delete(&org, &file.id).await;
        }
    }
    assert!(5 < swept && swept < 95, "the sweep came between uploads {swept} times");
}

#[tokio::test]
async fn what_a_dead_upload_has_left_behind_is_removed() {
    let stack = forgetful().start().await;
    let folder = stack.database.files_dir().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    let (left, living) = (folder.join("left"), folder.join("living"));
    let old = SystemTime::now() - Duration::from_hours(2);
    std::fs::write(&living, b"half").unwrap();
    std::fs::write(&left, b"half").unwrap();
    std::fs::File::open(&left).unwrap().set_modified(old).unwrap();
    until(|| !left.exists()).await;
    assert_eq!(kept(&stack), [living.display().to_string()]);
}

#[tokio::test]
async fn an_organization_takes_its_bytes_with_it() {
    let stack = forgetful().start().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    upload(&org, "a", &bytes(23, 1000)).await.unwrap();
    let mut parent = json!(null);
    for name in ["outer", "inner"] {
        let folder = json!({ "file_folder": { "name": name, "parent_id": parent } });
        let made = org.developer().call("FileFolderService/CreateFileFolder", folder).await;
        parent = made.unwrap()["id"].take();
        let request = json!({ "file": { "name": "x", "folder_id": parent }, "chunk": "eA==" });
        call(&org, "UploadFile", request).await.unwrap();
    }
    upload(&other, "a", &bytes(23, 1000)).await.unwrap();
    let id = json!({ "id": org.id });
    org.owner().call("OrganizationService/DeleteOrganization", id).await.unwrap();
    until(|| kept(&stack).iter().all(|it| it.contains(&other.id))).await;
    assert_eq!(kept(&stack).len(), 1);
}

#[tokio::test]
async fn damaged_bytes_are_not_passed_off_as_good() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let data = bytes(24, 600_000);
    let file = upload(&org, "a", &data).await.unwrap();
    let path = kept(&stack).remove(0);
    let mut other = data.clone();
    other[300_000] ^= 1;
    for damaged in [Some(&other[..]), Some(&data[..599_999]), None] {
        match damaged {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let result = download(&org, &file.id, 0, 0).await;
        assert_fails(result, Code::DataLoss, Reason::FileDamaged, None);
    }
    // Whoever has the bytes can mend it.
    upload(&org, "again", &data).await.unwrap();
    assert_eq!(download(&org, &file.id, 0, 0).await.unwrap().1, data);
}

#[tokio::test]
async fn a_storage_that_does_not_work_takes_nothing_and_says_so() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let folder = stack.database.files_dir();
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    // A file stands where the folder should be.
    std::fs::write(&folder, b"").unwrap();
    let result = upload(&org, "a", b"x").await;
    let status = assert_fails(result, Code::Unavailable, Reason::StorageUnavailable, None);
    assert!(!status.message().contains("freehold-test"), "no path is told: {status:?}");
    assert_eq!((count(&stack, "files").await, count(&stack, "file_blobs").await), (0, 0));
    std::fs::remove_file(&folder).unwrap();
    upload(&org, "a", b"x").await.unwrap();
}

#[tokio::test]
async fn a_deleted_file_comes_back_until_it_is_purged() {
    let stack = forgetful().set_web("FILES_UNDELETE_WINDOW", "24h").start().await;
    let org = stack.organization().await;
    let data = bytes(25, 1000);
    let file = upload(&org, "a", &data).await.unwrap();
    let id = json!({ "id": file.id });
    let same = call(&org, "UndeleteFile", id.clone()).await.unwrap();
    assert_eq!(same["etag"], file.etag, "nothing comes back that is not gone");

    let deleted = call(&org, "DeleteFile", id.clone()).await.unwrap();
    assert!(deleted["delete_time"].is_string() && deleted["purge_time"].is_string());
    assert_ne!(deleted["etag"], file.etag);
    for (method, request) in [
        ("GetFile", id.clone()),
        ("DeleteFile", id.clone()),
        ("CreateFileUrl", id.clone()),
        ("BatchGetFiles", json!({ "ids": [file.id] })),
        ("UpdateFile", json!({ "file": { "id": file.id, "name": "b" }, "update_mask": ["name"] })),
    ] {
        let result = call(&org, method, request).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let result = download(&org, &file.id, 0, 0).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let shown = json!({ "id": file.id, "show_deleted": true });
    assert_eq!(call(&org, "GetFile", shown).await.unwrap(), deleted);

    let old = json!({ "id": file.id, "etag": file.etag });
    let result = call(&org, "UndeleteFile", old).await;
    assert_fails(result, Code::Aborted, Reason::EtagMismatch, None);
    let back = call(&org, "UndeleteFile", id.clone()).await.unwrap();
    // Whoever heard no answer and asks again has an etag of before.
    let again = json!({ "id": file.id, "etag": deleted["etag"] });
    assert_eq!(call(&org, "UndeleteFile", again).await.unwrap(), back);
    let trail = json!({ "resource_id": file.id });
    let trail = org.admin().call("ActivityService/ListActivities", trail).await.unwrap();
    let lines = trail["activities"].as_array().unwrap();
    assert_eq!(lines.iter().filter(|it| it["action"] == "UndeleteFile").count(), 1);
    assert_eq!((&back["delete_time"], &back["purge_time"]), (&json!(null), &json!(null)));
    assert_eq!(download(&org, &file.id, 0, 0).await.unwrap().1, data);

    // A day later.
    call(&org, "DeleteFile", id.clone()).await.unwrap();
    let sql = "update web.files set deleted_at = deleted_at - interval '1 day'";
    sqlx::query(sql).execute(&stack.database.superuser()).await.unwrap();
    until(|| kept(&stack).is_empty()).await;
    let result = call(&org, "UndeleteFile", id).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn another_organization_can_do_nothing_with_a_file() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let file = upload(&org, "a", b"x").await.unwrap();
    let id = json!({ "id": file.id });
    for (method, request) in [
        ("UndeleteFile", id.clone()),
        ("CreateFileUrl", id),
        ("BatchGetFiles", json!({ "ids": [file.id] })),
        ("GetFile", json!({ "id": file.id, "show_deleted": true })),
    ] {
        let result = other.owner().call(&format!("FileService/{method}"), request).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let result = download(&other, &file.id, 0, 0).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);

    let folder = json!({ "file_folder": { "name": "f" } });
    let folder = org.developer().call("FileFolderService/CreateFileFolder", folder).await.unwrap();
    let request = json!({ "file": { "name": "a", "folder_id": folder["id"] } });
    let result = call(&other, "UploadFile", request).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let theirs = upload(&other, "b", b"x").await.unwrap();
    let moved = json!({ "id": theirs.id, "folder_id": folder["id"] });
    let request = json!({ "file": moved, "update_mask": ["folder_id"] });
    let result = call(&other, "UpdateFile", request).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}
