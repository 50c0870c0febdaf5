//! Files and their folders.

use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::stack::{Org, Stack};
use serde_json::{Value, json};

/// The id of a new folder in the root.
async fn folder(org: &Org, name: &str) -> Value {
    let request = json!({ "file_folder": { "name": name } });
    let made = org.developer().call("FileFolderService/CreateFileFolder", request).await;
    made.expect("a folder can be made")["id"].take()
}

pub(crate) struct FileFolders;

impl Resource for FileFolders {
    const KIND: &'static str = "FileFolder";
    const PLURAL: &'static str = "FileFolders";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "parent": folder(org, "one").await, "other_parent": folder(org, "two").await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({ "name": name, "parent_id": given["parent"] })
    }

    fn changes(given: &Value) -> Value {
        json!({ "name": "Another name", "parent_id": given["other_parent"] })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "parent_id": given["parent"] }), json!({}), json!({ "parent_id": null })),
            sieve(json!({ "top": true }), json!({ "parent_id": null }), json!({})),
        ]
    }
}

/// They are uploaded, which one message does when there are few bytes.
pub(crate) struct Files;

impl Resource for Files {
    const KIND: &'static str = "File";
    const PLURAL: &'static str = "Files";
    const CREATE: &'static str = "Upload";

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "folder": folder(org, "one").await, "other_folder": folder(org, "two").await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "name": name,
            "folder_id": given["folder"],
            "media_type": "text/plain; charset=utf-8",
            "tags": ["draft", "2026"],
            "description": "Says hello",
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "name": "Another name",
            "folder_id": given["other_folder"],
            "tags": ["final"],
            "description": "Takes leave",
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "folder_id": given["folder"] }),
                json!({}),
                json!({ "folder_id": given["other_folder"] }),
            ),
            sieve(json!({ "folder_id": "" }), json!({ "folder_id": null }), json!({})),
            sieve(json!({ "top": true }), json!({ "folder_id": null }), json!({})),
            sieve(json!({ "tag": "final" }), json!({ "tags": ["final", "x"] }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "name": "a needle.txt" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "description": "a needle" }), json!({})),
            sieve(
                json!({ "media_type_prefix": "image/" }),
                json!({ "media_type": "image/png" }),
                json!({}),
            ),
        ]
    }
}
