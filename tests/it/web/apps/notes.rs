//! Notes: finding them, and bringing them back.

use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

async fn note(org: &Org, note: Value) -> String {
    made(&org.developer(), "NoteService/CreateNote", json!({ "note": note })).await
}

async fn titles(org: &Org, list: Value) -> Vec<String> {
    let list = org.viewer().call("NoteService/ListNotes", list).await.unwrap();
    let title = |it: &Value| it["title"].as_str().unwrap().to_owned();
    list["notes"].as_array().into_iter().flatten().map(title).collect()
}

#[tokio::test]
async fn notes_are_found_by_their_words() {
    let org = Stack::shared().await.organization().await;
    note(&org, json!({ "title": "Groceries", "body": "milk and dark chocolate" })).await;
    note(&org, json!({ "title": "Chocolate factory", "body": "a visit" })).await;
    note(&org, json!({ "title": "Nothing", "body": "at all" })).await;
    let found = async |query: &str| titles(&org, json!({ "query": query })).await;
    assert_eq!(found("chocolate").await, ["Chocolate factory", "Groceries"]);
    assert_eq!(found("chocolate -factory").await, ["Groceries"]);
    assert_eq!(found("\"dark chocolate\"").await, ["Groceries"]);
    assert_eq!(found("visit or milk").await, ["Chocolate factory", "Groceries"]);
    assert!(found("marzipan").await.is_empty());
    assert!(found("' or 1 = 1 --").await.is_empty());
}

#[tokio::test]
async fn filters_narrow_each_other() {
    let org = Stack::shared().await.organization().await;
    note(&org, json!({ "title": "A", "tags": ["x", "y"], "pinned": true })).await;
    note(&org, json!({ "title": "B", "tags": ["x"] })).await;
    note(&org, json!({ "title": "C" })).await;
    assert_eq!(titles(&org, json!({ "tag": "x" })).await, ["B", "A"]);
    assert_eq!(titles(&org, json!({ "tag": "x", "pinned": true })).await, ["A"]);
    assert_eq!(titles(&org, json!({ "tag": "x", "pinned": false })).await, ["B"]);
    assert!(titles(&org, json!({ "tag": "z" })).await.is_empty());
}

#[tokio::test]
async fn notes_in_no_folder_are_found() {
    let org = Stack::shared().await.organization().await;
    let folder = json!({ "note_folder": { "name": "F" } });
    let folder = made(&org.developer(), "NoteFolderService/CreateNoteFolder", folder).await;
    note(&org, json!({ "title": "A", "folder_id": folder })).await;
    note(&org, json!({ "title": "B" })).await;
    assert_eq!(titles(&org, json!({})).await, ["B", "A"]);
    assert_eq!(titles(&org, json!({ "top": true })).await, ["B"]);
    assert!(titles(&org, json!({ "top": true, "folder_id": folder })).await.is_empty());
}

#[tokio::test]
async fn the_last_changed_comes_first_when_asked_for_over_all_pages() {
    let org = Stack::shared().await.organization().await;
    let first = note(&org, json!({ "title": "A" })).await;
    for title in ["B", "C"] {
        note(&org, json!({ "title": title })).await;
    }
    let change = json!({ "note": { "id": first, "pinned": true }, "update_mask": ["pinned"] });
    org.developer().call("NoteService/UpdateNote", change).await.unwrap();
    let mut seen = Vec::new();
    let mut token = json!("");
    loop {
        let list = json!({ "order_by": "update_time desc", "page_size": 1, "page_token": token });
        let page = org.viewer().call("NoteService/ListNotes", list).await.unwrap();
        seen.push(page["notes"][0]["title"].as_str().unwrap().to_owned());
        token = page["next_page_token"].clone();
        if token.as_str().unwrap_or_default().is_empty() {
            break;
        }
        // A token belongs to the order that it was given for.
        let other = json!({ "page_size": 1, "page_token": token });
        let result = org.viewer().call("NoteService/ListNotes", other).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidPageToken, "page_token");
    }
    assert_eq!(seen, ["A", "C", "B"]);
    let result = org.viewer().call("NoteService/ListNotes", json!({ "order_by": "pinned" })).await;
    let status = assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "order_by");
    assert!(status.message().contains("update_time desc"), "it says what there is: {status:?}");
}

#[tokio::test]
async fn a_batch_has_the_order_of_its_ids_or_is_refused() {
    let org = Stack::shared().await.organization().await;
    let (one, other) =
        (note(&org, json!({ "title": "A" })).await, note(&org, json!({ "title": "B" })).await);
    let get = async |ids: Value| {
        org.viewer().call("NoteService/BatchGetNotes", json!({ "ids": ids })).await
    };
    let batch = get(json!([other, one, other])).await.unwrap();
    let ids: Vec<_> =
        batch["notes"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(json!(ids), json!([other, one, other]));
    let theirs = Stack::shared().await.organization().await;
    let stranger = note(&theirs, json!({ "title": "C" })).await;
    let status = assert_fails(
        get(json!([one, stranger])).await,
        Code::NotFound,
        Reason::ResourceNotFound,
        None,
    );
    assert!(status.message().contains(&stranger), "it says which: {status:?}");
    let result = get(json!([])).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "ids");
}

/// The statement that changes a row writes the trail, so there is neither a change without a line nor a line without a change.
#[tokio::test]
async fn each_change_leaves_its_line_and_a_refused_one_none() {
    let org = Stack::shared().await.organization().await;
    let id = note(&org, json!({ "title": "A" })).await;
    let update = json!({ "note": { "id": id, "title": "B", "pinned": true }, "update_mask": ["title", "pinned"] });
    org.developer().call("NoteService/UpdateNote", update.clone()).await.unwrap();
    let mut stale = update;
    stale["note"]["etag"] = json!("00000000000000000000000000000000");
    let result = org.developer().call("NoteService/UpdateNote", stale).await;
    assert_fails(result, Code::Aborted, Reason::EtagMismatch, None);
    for method in ["DeleteNote", "UndeleteNote"] {
        let one = json!({ "id": id });
        org.developer().call(&format!("NoteService/{method}"), one).await.unwrap();
    }
    let list = json!({ "resource_id": id });
    let trail = org.admin().call("ActivityService/ListActivities", list).await.unwrap();
    let trail = trail["activities"].as_array().unwrap();
    let actions: Vec<_> = trail.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["UndeleteNote", "DeleteNote", "UpdateNote", "CreateNote"]);
    assert_eq!(trail[2]["fields"], json!(["title", "pinned"]));
    for line in trail {
        assert_eq!(line["resource_type"], "note");
        assert_eq!(line["actor_user_id"], json!(org.developer.user_id));
        assert_eq!(line["actor_api_key_id"], json!(org.developer.key_id));
        assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
    }
}
