//! Organizations: whose they are, their settings, and what keeps them from being deleted.

use freehold_tests::{client::As, errors::assert_fails, stack::Stack};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::OrganizationId};
use tonic::Code;

fn slug() -> String {
    format!("o{}", OrganizationId::generate().0.simple())
}

#[tokio::test]
async fn another_organization_is_not_found_by_any_verb() {
    let stack = Stack::shared().await;
    let (mine, theirs) = (stack.organization().await, stack.organization().await);
    let changed =
        json!({ "organization": { "id": theirs.id, "name": "Mine" }, "update_mask": ["name"] });
    for (method, request) in [
        ("GetOrganization", json!({ "id": theirs.id })),
        ("UpdateOrganization", changed),
        ("DeleteOrganization", json!({ "id": theirs.id })),
    ] {
        let result = mine.owner().call(&format!("OrganizationService/{method}"), request).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let request = json!({ "id": theirs.id });
    theirs.viewer().call("OrganizationService/GetOrganization", request).await.unwrap();
}

#[tokio::test]
async fn a_key_lists_its_own_organization_even_if_its_user_has_more() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let add = json!({ "email": org.viewer.email, "role": "MEMBER_ROLE_VIEWER" });
    other.admin().call("MemberService/AddMember", add).await.unwrap();
    let list = org.viewer().call("OrganizationService/ListOrganizations", json!({})).await.unwrap();
    let ids: Vec<_> =
        list["organizations"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(org.id)]);
}

#[tokio::test]
async fn the_platform_creates_lists_and_reads_without_acting_in_one() {
    let stack = Stack::shared().await;
    let platform = stack.platform();
    let new = json!({ "organization": { "slug": slug(), "name": "Acme" } });
    let made = platform.call("OrganizationService/CreateOrganization", new).await.unwrap();
    let read = json!({ "id": made["id"] });
    let read = platform.call("OrganizationService/GetOrganization", read).await.unwrap();
    assert_eq!(read, made);
    assert_eq!(made["settings"], json!({}));
    let change =
        json!({ "organization": { "id": made["id"], "name": "B" }, "update_mask": ["name"] });
    platform.call("OrganizationService/UpdateOrganization", change).await.unwrap();
    let delete = json!({ "id": made["id"] });
    platform.call("OrganizationService/DeleteOrganization", delete).await.unwrap();
}

#[tokio::test]
async fn a_slug_is_taken_once() {
    let stack = Stack::shared().await;
    let new = json!({ "organization": { "slug": slug(), "name": "Acme" } });
    let platform = stack.platform();
    platform.call("OrganizationService/CreateOrganization", new.clone()).await.unwrap();
    let again = platform.call("OrganizationService/CreateOrganization", new).await;
    assert_fails(again, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
}

#[tokio::test]
async fn an_owner_who_is_nobody_makes_nothing() {
    let stack = Stack::shared().await;
    let slug = slug();
    let new = json!({
        "organization": { "slug": slug, "name": "Acme" },
        "owner_user_id": OrganizationId::generate().to_string(),
    });
    let platform = stack.platform();
    let result = platform.call("OrganizationService/CreateOrganization", new).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    // The slug is free still.
    let new = json!({ "organization": { "slug": slug, "name": "Acme" } });
    platform.call("OrganizationService/CreateOrganization", new).await.unwrap();
}

#[tokio::test]
async fn settings_are_checked_and_the_field_is_named() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let update = async |settings: Value| {
        let organization = json!({ "id": org.id, "settings": settings });
        let request = json!({ "organization": organization, "update_mask": ["settings"] });
        org.admin().call("OrganizationService/UpdateOrganization", request).await
    };
    for (settings, field) in [
        (json!({ "theme": "purple" }), "organization.settings.theme"),
        (json!({ "features": "all" }), "organization.settings.features"),
        (json!({ "features": [1] }), "organization.settings.features"),
        (json!({ "limits": [] }), "organization.settings.limits"),
        (json!({ "limits": { "agents": -1 } }), "organization.settings.limits.agents"),
        (json!({ "limits": { "agents": 1.5 } }), "organization.settings.limits.agents"),
        (json!({ "preferences": "none" }), "organization.settings.preferences"),
        (json!({ "notes": "x".repeat(70_000) }), "organization.settings"),
        (json!({ "notes": "a\u{0}b" }), "organization.settings"),
    ] {
        assert_fails(update(settings).await, Code::InvalidArgument, Reason::InvalidField, field);
    }
    let good = json!({
        "theme": "dark",
        "features": ["api-agents"],
        "limits": { "max_agents": 100.0 },
        "preferences": { "default_llm_provider": "anthropic" },
        "anything": [1.5, { "else": null }],
    });
    assert_eq!(update(good.clone()).await.unwrap()["settings"], good);
    // What is accepted here is accepted by the database, however it writes it.
    for notes in [json!(vec![7; 21_000]), json!(vec!["a:,b"; 8_000]), json!(vec![1e300; 190])] {
        update(json!({ "notes": notes })).await.unwrap();
    }
    for notes in [json!(vec![7; 23_000]), json!(vec![1e300; 230]), json!(vec![1e-300; 230])] {
        let result = update(json!({ "notes": notes })).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "organization.settings");
    }
}

#[tokio::test]
async fn an_organization_with_agents_stays() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let agent = org.agent(&["https://example.test/"]).await;
    let delete = json!({ "id": org.id });
    let result = org.owner().call("OrganizationService/DeleteOrganization", delete.clone()).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
    // A deleted agent may have executions that are still to be read.
    org.developer().call("AgentService/DeleteAgent", json!({ "id": agent })).await.unwrap();
    let result = org.owner().call("OrganizationService/DeleteOrganization", delete).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
}

#[tokio::test]
async fn a_deleted_organization_takes_its_keys_along() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let delete = json!({ "id": org.id });
    org.owner().call("OrganizationService/DeleteOrganization", delete).await.unwrap();
    let result = org.owner().call("OrganizationService/ListOrganizations", json!({})).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
    let result = org.platform().call("CoreActionService/ListCoreActions", json!({})).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn an_old_etag_neither_changes_nor_deletes() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let id = json!({ "id": org.id });
    let old = org.owner().call("OrganizationService/GetOrganization", id).await.unwrap();
    let update = async |name: &str, etag: &Value| {
        let organization = json!({ "id": org.id, "name": name, "etag": etag });
        let request = json!({ "organization": organization, "update_mask": ["name"] });
        org.owner().call("OrganizationService/UpdateOrganization", request).await
    };
    let new = update("Second", &old["etag"]).await.unwrap();
    for (field, value) in old.as_object().unwrap() {
        let changes = ["name", "etag", "update_time"].contains(&field.as_str());
        assert_eq!(new[field] != *value, changes, "{field}");
    }
    for etag in [&old["etag"], &json!("nonsense")] {
        let result = update("Third", etag).await;
        assert_fails(result, Code::Aborted, Reason::EtagMismatch, None);
        let delete = json!({ "id": org.id, "etag": etag });
        let result = org.owner().call("OrganizationService/DeleteOrganization", delete).await;
        assert_fails(result, Code::Aborted, Reason::EtagMismatch, None);
    }
    let delete = json!({ "id": org.id, "etag": new["etag"] });
    org.owner().call("OrganizationService/DeleteOrganization", delete).await.unwrap();
}

#[tokio::test]
async fn a_mask_names_what_may_be_changed_and_nothing_else() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    for path in
        ["slug", "subscription_info", "created_by", "etag", "id", "nonsense", "settings.theme"]
    {
        let request = json!({ "organization": { "id": org.id }, "update_mask": [path] });
        let result = org.owner().call("OrganizationService/UpdateOrganization", request).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidUpdateMask, "update_mask");
    }
}

#[tokio::test]
async fn only_owners_delete_and_only_admins_change() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let delete = json!({ "id": org.id });
    let result = org.admin().call("OrganizationService/DeleteOrganization", delete).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    let change = json!({ "organization": { "id": org.id, "name": "X" }, "update_mask": ["name"] });
    let result = org.developer().call("OrganizationService/UpdateOrganization", change).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
}

#[tokio::test]
async fn a_key_does_not_act_in_another_organization_by_naming_it() {
    let stack = Stack::shared().await;
    let (mine, theirs) = (stack.organization().await, stack.organization().await);
    let key = As::key(&mine.owner.key);
    let named = mine.owner().with_identity(key.clone().in_org(&theirs.id));
    let result = named.call("CoreActionService/ListCoreActions", json!({})).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let nonsense = mine.owner().with_identity(key.in_org("nonsense"));
    let result = nonsense.call("CoreActionService/ListCoreActions", json!({})).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "x-freehold-org");
}
