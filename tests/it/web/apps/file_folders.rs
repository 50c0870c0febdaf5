//! Folders stay a tree, and no deeper than they may be.

use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

async fn create(org: &Org, name: &str, parent: Option<&str>) -> Result<String, Status> {
    let folder = json!({ "name": name, "parent_id": parent });
    let request = json!({ "file_folder": folder });
    let made = org.developer().call("FileFolderService/CreateFileFolder", request).await?;
    Ok(made["id"].as_str().unwrap().to_owned())
}

/// Folders in one another, outermost first.
async fn chain(org: &Org, name: &str, parent: Option<&str>, depth: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for level in 0..depth {
        let parent = ids.last().map(String::as_str).or(parent);
        ids.push(create(org, &format!("{name}{level}"), parent).await.unwrap());
    }
    ids
}

async fn put(org: &Org, id: &str, parent: Option<&str>) -> Result<Value, Status> {
    let folder = json!({ "id": id, "parent_id": parent });
    let request = json!({ "file_folder": folder, "update_mask": ["parent_id"] });
    org.developer().call("FileFolderService/UpdateFileFolder", request).await
}

async fn delete(org: &Org, id: &str) -> Result<Value, Status> {
    org.developer().call("FileFolderService/DeleteFileFolder", json!({ "id": id })).await
}

async fn parent(org: &Org, id: &str) -> Value {
    let request = json!({ "id": id });
    let folder = org.viewer().call("FileFolderService/GetFileFolder", request).await.unwrap();
    folder["parent_id"].clone()
}

async fn names(org: &Org, request: Value) -> Vec<String> {
    let list = org.viewer().call("FileFolderService/ListFileFolders", request).await.unwrap();
    let folders = list["file_folders"].as_array().unwrap();
    folders.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_folder_can_not_lie_in_itself() {
    let org = Stack::shared().await.organization().await;
    let ids = chain(&org, "f", None, 4).await;
    for below in &ids {
        let result = put(&org, &ids[0], Some(below)).await;
        assert_fails(result, Code::FailedPrecondition, Reason::TreeCycle, None);
    }
    assert_eq!(parent(&org, &ids[0]).await, Value::Null);
    put(&org, &ids[3], Some(&ids[0])).await.unwrap();
    assert_eq!(parent(&org, &ids[3]).await, ids[0].as_str());
}

#[tokio::test]
async fn folders_are_at_most_sixteen_deep_however_they_come_there() {
    let org = Stack::shared().await.organization().await;
    let ids = chain(&org, "f", None, 16).await;
    let deeper = create(&org, "f", ids.last().map(String::as_str)).await;
    assert_fails(deeper, Code::FailedPrecondition, Reason::TreeTooDeep, None);

    // Three on top of one another fit below the thirteenth, and not below the fourteenth.
    let three = chain(&org, "g", None, 3).await;
    let result = put(&org, &three[0], Some(&ids[13])).await;
    assert_fails(result, Code::FailedPrecondition, Reason::TreeTooDeep, None);
    assert_eq!(parent(&org, &three[0]).await, Value::Null);
    put(&org, &three[0], Some(&ids[12])).await.unwrap();
    let deeper = create(&org, "f", Some(&three[2])).await;
    assert_fails(deeper, Code::FailedPrecondition, Reason::TreeTooDeep, None);
}

/// Each of the two is right by itself.
#[tokio::test]
async fn two_moves_at_once_make_no_circle() {
    let org = Stack::shared().await.organization().await;
    for round in 0..10 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let (a, b) = (create(&org, &a, None).await.unwrap(), create(&org, &b, None).await.unwrap());
        let (one, other) = tokio::join!(put(&org, &a, Some(&b)), put(&org, &b, Some(&a)));
        assert_ne!(one.is_ok(), other.is_ok(), "one of them comes second: {one:?} {other:?}");
        let refused = one.err().or(other.err());
        let refused = refused.map_or(Ok(()), Err);
        assert_fails(refused, Code::FailedPrecondition, Reason::TreeCycle, None);
    }
}

#[tokio::test]
async fn a_folder_with_something_in_it_stays() {
    let org = Stack::shared().await.organization().await;
    let ids = chain(&org, "f", None, 2).await;
    let result = delete(&org, &ids[0]).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);

    let request = json!({ "file": { "name": "x", "folder_id": ids[1] } });
    let file = org.developer().call("FileService/UploadFile", request).await.unwrap();
    let result = delete(&org, &ids[1]).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);

    // A deleted file is nothing that one can see in it, and comes back where there still is something.
    let file_id = json!({ "id": file["id"] });
    org.developer().call("FileService/DeleteFile", file_id.clone()).await.unwrap();
    delete(&org, &ids[1]).await.unwrap();
    delete(&org, &ids[0]).await.unwrap();
    let back = org.developer().call("FileService/UndeleteFile", file_id).await.unwrap();
    assert_eq!(back["folder_id"], Value::Null);
}

#[tokio::test]
async fn a_folder_that_can_not_be_deleted_keeps_its_deleted_files() {
    let org = Stack::shared().await.organization().await;
    let ids = chain(&org, "f", None, 2).await;
    let request = json!({ "file": { "name": "x", "folder_id": ids[0] } });
    let file = org.developer().call("FileService/UploadFile", request).await.unwrap();
    let file_id = json!({ "id": file["id"] });
    org.developer().call("FileService/DeleteFile", file_id.clone()).await.unwrap();
    let result = delete(&org, &ids[0]).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
    let back = org.developer().call("FileService/UndeleteFile", file_id).await.unwrap();
    assert_eq!(back["folder_id"], ids[0].as_str());
}

#[tokio::test]
async fn another_organizations_folder_is_no_parent() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let theirs = create(&other, "f", None).await.unwrap();
    let mine = create(&org, "f", None).await.unwrap();
    let result = create(&org, "g", Some(&theirs)).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let result = put(&org, &mine, Some(&theirs)).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn names_differ_beside_one_another_and_nowhere_else() {
    let org = Stack::shared().await.organization().await;
    let a = create(&org, "a", None).await.unwrap();
    let again = create(&org, "a", None).await;
    assert_fails(again, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
    let inner = create(&org, "a", Some(&a)).await.unwrap();
    let result = put(&org, &inner, None).await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
    create(&org, "A", None).await.unwrap();
}

#[tokio::test]
async fn lists_show_one_folder_the_root_or_all() {
    let org = Stack::shared().await.organization().await;
    let a = create(&org, "a", None).await.unwrap();
    create(&org, "b", Some(&a)).await.unwrap();
    assert_eq!(names(&org, json!({})).await, ["b", "a"]);
    assert_eq!(names(&org, json!({ "top": true })).await, ["a"]);
    assert_eq!(names(&org, json!({ "parent_id": a })).await, ["b"]);
}
