//! Platforms: everyone's to read, the platform's to write.

use freehold_tests::{errors::assert_fails, stack::Stack};
use serde_json::json;
use shared_db::{error::Reason, ids::PlatformId};
use tonic::Code;

#[tokio::test]
async fn a_platform_with_actions_stays() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let id = stack.platform_named(&format!("{}-p", org.slug)).await;
    let http = json!({ "method": "GET", "url": "https://example.test/" });
    let action = org.action_with(json!({ "http": http, "platform_id": id })).await;
    let delete = json!({ "id": id });
    let platform = stack.platform();
    let result = platform.call("PlatformService/DeletePlatform", delete.clone()).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
    let action = json!({ "id": action });
    org.developer().call("CoreActionService/DeleteCoreAction", action).await.unwrap();
    platform.call("PlatformService/DeletePlatform", delete).await.unwrap();
}

#[tokio::test]
async fn a_platform_with_an_integration_in_the_catalogue_stays() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let id = stack.platform_named(&format!("{}-c", org.slug)).await;
    let offer = json!({ "slug": format!("{}-c", org.slug), "name": "Rooms", "platform_id": id });
    let method = "CatalogIntegrationService/CreateCatalogIntegration";
    let offer = json!({ "catalog_integration": offer });
    let offer = stack.platform().call(method, offer).await.unwrap();
    let delete = json!({ "id": id });
    let result = stack.platform().call("PlatformService/DeletePlatform", delete.clone()).await;
    let status = assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
    assert!(status.message().contains("integration_catalog"), "it says what: {status:?}");
    let method = "CatalogIntegrationService/DeleteCatalogIntegration";
    stack.platform().call(method, json!({ "id": offer["id"] })).await.unwrap();
    stack.platform().call("PlatformService/DeletePlatform", delete).await.unwrap();
}

#[tokio::test]
async fn organizations_read_platforms_and_change_none() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let id = stack.platform_named(&format!("{}-q", org.slug)).await;
    org.viewer().call("PlatformService/GetPlatform", json!({ "id": id })).await.unwrap();
    for (method, request) in [
        ("CreatePlatform", json!({ "platform": { "slug": "x", "name": "X" } })),
        (
            "UpdatePlatform",
            json!({ "platform": { "id": id, "name": "X" }, "update_mask": ["name"] }),
        ),
        ("DeletePlatform", json!({ "id": id })),
    ] {
        let result = org.owner().call(&format!("PlatformService/{method}"), request).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    }
}

#[tokio::test]
async fn an_action_on_no_platform_is_refused() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let http = json!({ "method": "GET", "url": "https://example.test/" });
    let action = json!({
        "slug": "a", "name": "A", "http": http, "platform_id": PlatformId::generate().to_string(),
    });
    let request = json!({ "core_action": action });
    let result = org.developer().call("CoreActionService/CreateCoreAction", request).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}
