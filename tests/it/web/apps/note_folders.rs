//! Folders of notes: a tree that stays one.

use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

/// Deeper than this no folder lies.
const DEPTH_MAX: usize = 16;

async fn folder(org: &Org, name: &str, parent: Option<&str>) -> Result<String, Status> {
    let folder = json!({ "note_folder": { "name": name, "parent_id": parent } });
    let made = org.developer().call("NoteFolderService/CreateNoteFolder", folder).await?;
    Ok(made["id"].as_str().unwrap().to_owned())
}

async fn put(org: &Org, id: &str, parent: Option<&str>) -> Result<Value, Status> {
    let folder = json!({ "id": id, "parent_id": parent });
    let request = json!({ "note_folder": folder, "update_mask": ["parent_id"] });
    org.developer().call("NoteFolderService/UpdateNoteFolder", request).await
}

#[tokio::test]
async fn a_folder_does_not_lie_in_itself_or_below_itself() {
    let org = Stack::shared().await.organization().await;
    let top = folder(&org, "top", None).await.unwrap();
    let middle = folder(&org, "middle", Some(&top)).await.unwrap();
    let bottom = folder(&org, "bottom", Some(&middle)).await.unwrap();
    for place in [&top, &middle, &bottom] {
        let result = put(&org, &top, Some(place)).await;
        assert_fails(result, Code::FailedPrecondition, Reason::TreeCycle, None);
    }
    let moved = put(&org, &bottom, Some(&top)).await.unwrap();
    assert_eq!(moved["parent_id"], json!(top));
    put(&org, &middle, Some(&bottom)).await.expect("the tree was turned around, and is one still");
    let moved = put(&org, &middle, None).await.unwrap();
    assert_eq!(moved.get("parent_id").unwrap_or(&Value::Null), &Value::Null);
}

#[tokio::test]
async fn folders_lie_only_so_deep_also_when_they_are_moved() {
    let org = Stack::shared().await.organization().await;
    let mut chain = vec![folder(&org, "1", None).await.unwrap()];
    for depth in 2..=DEPTH_MAX {
        chain.push(
            folder(&org, &depth.to_string(), chain.last().map(String::as_str)).await.unwrap(),
        );
    }
    let result = folder(&org, "too deep", chain.last().map(String::as_str)).await;
    assert_fails(result, Code::FailedPrecondition, Reason::TreeTooDeep, None);
    let pair = folder(&org, "pair", None).await.unwrap();
    folder(&org, "of two", Some(&pair)).await.unwrap();
    let result = put(&org, &pair, Some(&chain[DEPTH_MAX - 2])).await;
    assert_fails(result, Code::FailedPrecondition, Reason::TreeTooDeep, None);
    put(&org, &pair, Some(&chain[DEPTH_MAX - 3])).await.expect("one higher there is room for two");
}

/// Each of two moves is right by itself; done both they would be a ring that nothing leads to.
#[tokio::test]
async fn two_moves_at_once_make_no_ring() {
    let org = Stack::shared().await.organization().await;
    for round in 0..5 {
        let one = folder(&org, &format!("one {round}"), None).await.unwrap();
        let other = folder(&org, &format!("other {round}"), None).await.unwrap();
        let moves = [put(&org, &one, Some(&other)), put(&org, &other, Some(&one))];
        let results = join_all(moves).await;
        let refused: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1, "exactly one is refused: {refused:?}");
        assert_fails(
            Err::<(), _>(refused[0].clone()),
            Code::FailedPrecondition,
            Reason::TreeCycle,
            None,
        );
    }
}

#[tokio::test]
async fn a_folder_with_something_in_it_stays() {
    let org = Stack::shared().await.organization().await;
    let id = folder(&org, "full", None).await.unwrap();
    let note = json!({ "note": { "title": "In it", "folder_id": id } });
    let note = made(&org.developer(), "NoteService/CreateNote", note).await;
    let delete = async || {
        org.developer().call("NoteFolderService/DeleteNoteFolder", json!({ "id": id })).await
    };
    assert_fails(delete().await, Code::FailedPrecondition, Reason::ResourceInUse, None);
    let moved = json!({ "note": { "id": note }, "update_mask": ["folder_id"] });
    org.developer().call("NoteService/UpdateNote", moved).await.unwrap();
    delete().await.expect("it is empty now");
}

#[tokio::test]
async fn another_organizations_folder_is_no_place() {
    let stack = Stack::shared().await;
    let (mine, theirs) = (stack.organization().await, stack.organization().await);
    let id = folder(&theirs, "theirs", None).await.unwrap();
    let result = folder(&mine, "mine", Some(&id)).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}
