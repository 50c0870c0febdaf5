//! Finding files.

use super::{call, delete};
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

async fn make(org: &Org, file: Value) -> String {
    let made = call(org, "UploadFile", json!({ "file": file })).await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

async fn names(org: &Org, request: Value) -> Vec<String> {
    let list = org.viewer().call("FileService/ListFiles", request).await.unwrap();
    let files = list["files"].as_array().unwrap();
    let mut names: Vec<_> =
        files.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_are_found_by_where_they_are_and_what_they_are() {
    let org = Stack::shared().await.organization().await;
    let folder = json!({ "file_folder": { "name": "f" } });
    let folder = org.developer().call("FileFolderService/CreateFileFolder", folder).await.unwrap();
    let folder = &folder["id"];
    make(&org, json!({ "name": "a", "media_type": "image/png", "tags": ["x", "y"] })).await;
    make(
        &org,
        json!({ "name": "b", "media_type": "image/jpeg", "folder_id": folder, "tags": ["y"] }),
    )
    .await;
    make(&org, json!({ "name": "c", "media_type": "imagery/x" })).await;
    let gone = make(&org, json!({ "name": "d", "media_type": "text/plain", "tags": ["y"] })).await;
    delete(&org, &gone).await;

    for (request, expected) in [
        (json!({}), &["a", "b", "c"][..]),
        (json!({ "folder_id": "" }), &["a", "c"]),
        (json!({ "top": true }), &["a", "c"]),
        (json!({ "top": true, "folder_id": folder }), &[]),
        (json!({ "folder_id": folder }), &["b"]),
        (json!({ "folder_id": folder, "tag": "x" }), &[]),
        (json!({ "tag": "y" }), &["a", "b"]),
        (json!({ "tag": "Y" }), &[]),
        (json!({ "media_type_prefix": "image/" }), &["a", "b"]),
        (json!({ "media_type_prefix": "image" }), &["a", "b", "c"]),
        (json!({ "media_type_prefix": "%" }), &[]),
        (json!({ "show_deleted": true }), &["a", "b", "c", "d"]),
        (json!({ "show_deleted": true, "tag": "y", "folder_id": "" }), &["a", "d"]),
    ] {
        assert_eq!(names(&org, request.clone()).await, expected, "{request}");
    }
}

#[tokio::test]
async fn files_are_found_by_words_of_their_names_and_descriptions() {
    let org = Stack::shared().await.organization().await;
    make(&org, json!({ "name": "Quarterly_report-2026.final.pdf" })).await;
    make(&org, json!({ "name": "notes.txt", "description": "Minutes of the quarterly meeting" }))
        .await;
    make(&org, json!({ "name": "Grüße.txt", "description": "Prüfbericht" })).await;
    let (report, notes, greetings) = ("Quarterly_report-2026.final.pdf", "notes.txt", "Grüße.txt");
    for (query, expected) in [
        ("quarterly", &[report, notes][..]),
        ("QUARTERLY report", &[report]),
        ("report_2026", &[report]),
        ("2026.pdf", &[report]),
        ("meeting notes", &[notes]),
        ("txt", &[greetings, notes]),
        ("grüße", &[greetings]),
        ("quarter", &[]),
        ("quarterly holiday", &[]),
        ("quarterly & !report | 'x", &[]),
        ("--", &[]),
    ] {
        assert_eq!(names(&org, json!({ "query": query })).await, expected, "{query}");
    }
}

#[tokio::test]
async fn many_files_come_in_the_order_in_which_they_were_asked_for() {
    let org = Stack::shared().await.organization().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(make(&org, json!({ "name": name })).await);
    }
    let asked = json!({ "ids": [ids[1], ids[2], ids[0], ids[1]] });
    let files = call(&org, "BatchGetFiles", asked).await.unwrap();
    let got: Vec<_> = files["files"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(got, ["b", "c", "a", "b"]);

    let unknown = "00000000-0000-7000-8000-000000000000";
    let result = call(&org, "BatchGetFiles", json!({ "ids": [ids[0], unknown] })).await;
    let status = assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    assert!(status.message().contains(unknown), "{status:?}");
    let many = vec![ids[0].clone(); 101];
    for (ids, field) in [(vec![], "ids"), (many, "ids"), (vec!["x".to_owned()], "ids[0]")] {
        let result = call(&org, "BatchGetFiles", json!({ "ids": ids })).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
}
