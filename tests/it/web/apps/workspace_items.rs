//! What an organization keeps within reach: links, and things that it has.

use freehold_tests::{errors::assert_fails, stack::Stack};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::WorkerId};
use tonic::Code;

#[tokio::test]
async fn a_link_has_an_address_and_all_else_leads_to_something() {
    let org = Stack::shared().await.organization().await;
    let create = async |kind: &str, to: Value| {
        let mut item = json!({ "kind": format!("WORKSPACE_ITEM_KIND_{kind}"), "title": "T" });
        item.as_object_mut().unwrap().append(&mut to.as_object().unwrap().clone());
        let request = json!({ "workspace_item": item });
        org.developer().call("WorkspaceItemService/CreateWorkspaceItem", request).await
    };
    let (id, url) = (WorkerId::generate().to_string(), "https://example.test/");
    for (kind, to, field) in [
        ("LINK", json!({}), "workspace_item.url"),
        ("NOTE", json!({}), "workspace_item.resource_id"),
        ("LINK", json!({ "url": url, "resource_id": id }), "workspace_item.resource_id"),
        ("NOTE", json!({ "url": url, "resource_id": id }), "workspace_item.url"),
    ] {
        let result = create(kind, to).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
    create("LINK", json!({ "url": url })).await.unwrap();
    create("NOTE", json!({ "resource_id": id })).await.unwrap();
}
