//! Notes, sheets, and what stands on a workspace.

use super::needed::made;
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

pub(crate) struct NoteFolders;

impl Resource for NoteFolders {
    const KIND: &'static str = "NoteFolder";
    const PLURAL: &'static str = "NoteFolders";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "a" } })).await,
            "other_folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "b" } })).await,
        })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "parent_id": given["folder"],
            "name": name,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "parent_id": given["other_folder"],
            "name": "Renamed",
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "parent_id": given["folder"] }), json!({}), json!({ "parent_id": null })),
            sieve(json!({ "top": true }), json!({ "parent_id": null }), json!({})),
        ]
    }
}

pub(crate) struct Notes;

impl Resource for Notes {
    const KIND: &'static str = "Note";
    const PLURAL: &'static str = "Notes";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "notes" } })).await,
            "other_folder": made(&org.developer(), "NoteFolderService/CreateNoteFolder", json!({ "note_folder": { "name": "other notes" } })).await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "folder_id": given["folder"],
            "title": "Some text",
            "body": "Some text",
            "tags": ["one", "two"],
            "pinned": true,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "folder_id": given["other_folder"],
            "title": "Other text",
            "body": "Other text",
            "tags": ["three"],
            "pinned": false,
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "folder_id": given["folder"] }),
                json!({}),
                json!({ "folder_id": given["other_folder"] }),
            ),
            sieve(json!({ "top": true }), json!({ "folder_id": null }), json!({})),
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(json!({ "pinned": true }), json!({}), json!({ "pinned": false })),
            sieve(json!({ "pinned": false }), json!({ "pinned": false }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "title": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "body": "A needle" }), json!({})),
        ]
    }
}

pub(crate) struct Sheets;

impl Resource for Sheets {
    const KIND: &'static str = "Sheet";
    const PLURAL: &'static str = "Sheets";

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "name": "Some text",
            "description": "Some text",
            "tags": ["one", "two"],
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "description": "Other text",
            "tags": ["three"],
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(json!({ "query": "needle" }), json!({ "name": "A needle" }), json!({})),
            sieve(
                json!({ "query": "text -needle" }),
                json!({}),
                json!({ "name": "Some text and a needle" }),
            ),
        ]
    }
}

pub(crate) struct SheetVersions;

impl Resource for SheetVersions {
    const KIND: &'static str = "SheetVersion";
    const PLURAL: &'static str = "SheetVersions";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "sheet": made(&org.developer(), "SheetService/CreateSheet", json!({ "sheet": { "name": "S" } })).await,
            "other_sheet": made(&org.developer(), "SheetService/CreateSheet", json!({ "sheet": { "name": "T" } })).await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({ "sheet_id": given["sheet"], "content": { "cells": [1, "two"] }, "comment": "First" })
    }

    fn writer(org: &Org) -> Caller {
        org.developer()
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "sheet_id": given["sheet"] }),
            json!({}),
            json!({ "sheet_id": given["other_sheet"] }),
        )]
    }
}

pub(crate) struct WorkspaceItems;

impl Resource for WorkspaceItems {
    const KIND: &'static str = "WorkspaceItem";
    const PLURAL: &'static str = "WorkspaceItems";

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "kind": "WORKSPACE_ITEM_KIND_LINK",
            "title": "Some text",
            "url": "https://example.test/a",
            "section": "Some text",
            "position": 2,
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "title": "Other text",
            "url": "https://example.test/b",
            "section": "Other text",
            "position": 3,
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "kind": "WORKSPACE_ITEM_KIND_NOTE" }),
                json!({ "kind": "WORKSPACE_ITEM_KIND_NOTE", "resource_id": "00000000-0000-7000-8000-000000000001", "url": null }),
                json!({}),
            ),
            sieve(json!({ "section": "Top" }), json!({ "section": "Top" }), json!({})),
        ]
    }
}
