//! Versions of a sheet: they count without gaps, never change, and come back.

use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::collections::BTreeSet;
use tonic::{Code, Status};

async fn sheet(org: &Org) -> String {
    made(&org.developer(), "SheetService/CreateSheet", json!({ "sheet": { "name": "Sums" } })).await
}

async fn keep(org: &Org, sheet: &str, cell: i64, expected: i32) -> Result<Value, Status> {
    let content = json!({ "cells": [cell] });
    let version = json!({ "sheet_id": sheet, "content": content, "expected_version": expected });
    org.developer().call("SheetVersionService/CreateSheetVersion", version).await
}

#[tokio::test]
async fn versions_that_are_kept_at_once_are_counted_without_gaps() {
    let org = Stack::shared().await.organization().await;
    let sheet = sheet(&org).await;
    let kept = join_all((0..8).map(|cell| keep(&org, &sheet, cell, 0))).await;
    let number = |it: Result<Value, Status>| it.unwrap()["version"].as_i64().unwrap();
    let numbers: BTreeSet<_> = kept.into_iter().map(number).collect();
    assert_eq!(numbers, (1..=8).collect());
    let get = json!({ "id": sheet });
    let sheet = org.viewer().call("SheetService/GetSheet", get).await.unwrap();
    assert_eq!(sheet["latest_version"], 8);
}

#[tokio::test]
async fn an_earlier_version_comes_back_as_the_newest() {
    let org = Stack::shared().await.organization().await;
    let sheet = sheet(&org).await;
    let first = keep(&org, &sheet, 1, 0).await.unwrap();
    keep(&org, &sheet, 2, 1).await.unwrap();
    let restore = json!({ "sheet_id": sheet, "version": 1 });
    let restored = org.developer().call("SheetVersionService/RestoreSheetVersion", restore).await;
    let restored = restored.unwrap();
    assert_eq!((&restored["version"], &restored["restored_from"]), (&json!(3), &json!(1)));
    assert_eq!(restored["content"], first["content"]);
    let never = json!({ "sheet_id": sheet, "version": 9 });
    let result = org.developer().call("SheetVersionService/RestoreSheetVersion", never).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let list = json!({ "sheet_id": sheet });
    let all = org.viewer().call("SheetVersionService/ListSheetVersions", list).await.unwrap();
    assert_eq!(all["sheet_versions"].as_array().unwrap().len(), 3, "nothing was lost");
}

#[tokio::test]
async fn whoever_worked_on_an_old_version_is_told() {
    let org = Stack::shared().await.organization().await;
    let sheet = sheet(&org).await;
    keep(&org, &sheet, 1, 0).await.unwrap();
    keep(&org, &sheet, 2, 1).await.unwrap();
    let result = keep(&org, &sheet, 3, 1).await;
    assert_fails(result, Code::Aborted, Reason::EtagMismatch, None);
    assert_eq!(
        keep(&org, &sheet, 3, 2).await.unwrap()["version"],
        3,
        "a refused one takes no number"
    );
}

#[tokio::test]
async fn a_deleted_sheet_takes_no_version_until_it_is_back() {
    let org = Stack::shared().await.organization().await;
    let sheet = sheet(&org).await;
    let id = json!({ "id": sheet });
    org.developer().call("SheetService/DeleteSheet", id.clone()).await.unwrap();
    let result = keep(&org, &sheet, 1, 0).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    org.developer().call("SheetService/UndeleteSheet", id).await.unwrap();
    keep(&org, &sheet, 1, 0).await.unwrap();
}

#[tokio::test]
async fn what_was_in_a_deleted_sheet_is_seen_again_when_it_is_back() {
    let org = Stack::shared().await.organization().await;
    let (gone, kept) = (sheet(&org).await, sheet(&org).await);
    let version = keep(&org, &gone, 1, 0).await.unwrap();
    let other = keep(&org, &kept, 2, 0).await.unwrap();
    let get = async || {
        let id = json!({ "id": version["id"] });
        org.viewer().call("SheetVersionService/GetSheetVersion", id).await
    };
    let list = async |list: Value| {
        let list = org.viewer().call("SheetVersionService/ListSheetVersions", list).await.unwrap();
        list["sheet_versions"].as_array().cloned().unwrap_or_default()
    };
    let id = json!({ "id": gone });
    org.developer().call("SheetService/DeleteSheet", id.clone()).await.unwrap();
    assert_fails(get().await, Code::NotFound, Reason::ResourceNotFound, None);
    assert_eq!(list(json!({})).await, std::slice::from_ref(&other));
    assert!(list(json!({ "sheet_id": gone })).await.is_empty());
    org.developer().call("SheetService/UndeleteSheet", id).await.unwrap();
    assert_eq!(get().await.unwrap(), version);
    assert_eq!(list(json!({})).await, [other, version]);
}

#[tokio::test]
async fn a_version_that_is_too_large_is_refused() {
    let org = Stack::shared().await.organization().await;
    let sheet = sheet(&org).await;
    let large = json!({ "sheet_id": sheet, "content": { "cells": "x".repeat(1 << 20) } });
    let result = org.developer().call("SheetVersionService/CreateSheetVersion", large).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "content");
}
