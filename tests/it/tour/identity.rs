//! Organizations, users, members, keys, and what the audit trail says of them.

use super::{Tour, Visitor};
use serde_json::json;

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    organizations(tour, visitor).await;
    users(tour, visitor).await;
    members(tour, visitor).await;
    api_keys(tour, visitor).await;
    activities(tour, visitor).await;
}

async fn organizations(tour: &Tour, visitor: &mut impl Visitor) {
    let id = &tour.org.id;
    let slug = format!("{}-b", tour.org.slug);
    let request = json!({ "organization": { "slug": slug, "name": "A second one" } });
    tour.web(visitor, "OrganizationService/CreateOrganization", request).await;
    tour.web(visitor, "OrganizationService/GetOrganization", json!({ "id": id })).await;
    tour.web(visitor, "OrganizationService/ListOrganizations", json!({})).await;
    let request =
        json!({ "organization": { "id": id, "name": "Another name" }, "update_mask": ["name"] });
    tour.web(visitor, "OrganizationService/UpdateOrganization", request).await;

    // Not the tour's own, which is needed; the visitor sees it as one of the owner of that organization.
    let gone = tour.stack.organization().await;
    let name = "OrganizationService/DeleteOrganization";
    tour.make(visitor, name, gone.owner(), json!({ "id": gone.id })).await;
}

async fn users(tour: &Tour, visitor: &mut impl Visitor) {
    let email = format!("user@{}.test", tour.org.slug);
    let request = json!({ "user": { "email": email, "name": "Una" } });
    let user = tour.web(visitor, "UserService/CreateUser", request).await;
    tour.web(visitor, "UserService/GetUser", json!({ "id": tour.org.owner.user_id })).await;
    tour.web(visitor, "UserService/ListUsers", json!({})).await;
    let myself = json!({ "id": tour.org.viewer.user_id, "name": "Vera" });
    let request = json!({ "user": myself, "update_mask": ["name"] });
    tour.web(visitor, "UserService/UpdateUser", request).await;
    tour.web(visitor, "UserService/DeactivateUser", json!({ "id": user["id"] })).await;
    tour.web(visitor, "UserService/ReactivateUser", json!({ "id": user["id"] })).await;
}

async fn members(tour: &Tour, visitor: &mut impl Visitor) {
    let email = format!("member@{}.test", tour.org.slug);
    let request = json!({ "email": email, "role": "MEMBER_ROLE_VIEWER" });
    let member = tour.web(visitor, "MemberService/AddMember", request).await;
    let id = json!({ "user_id": member["user_id"] });
    tour.web(visitor, "MemberService/GetMember", id.clone()).await;
    tour.web(visitor, "MemberService/ListMembers", json!({})).await;
    let changed = json!({ "user_id": member["user_id"], "role": "MEMBER_ROLE_DEVELOPER" });
    let request = json!({ "member": changed, "update_mask": ["role"] });
    tour.web(visitor, "MemberService/UpdateMember", request).await;
    tour.web(visitor, "MemberService/RemoveMember", id).await;

    // Nor does anybody whom the tour needs.
    let left = tour.stack.organization().await;
    let name = "MemberService/LeaveOrganization";
    tour.make(visitor, name, left.viewer(), json!({})).await;
}

async fn api_keys(tour: &Tour, visitor: &mut impl Visitor) {
    let key = json!({
        "name": "for the tour",
        "role": "MEMBER_ROLE_VIEWER",
        "user_id": tour.org.admin.user_id,
    });
    let made = tour.web(visitor, "ApiKeyService/CreateApiKey", json!({ "api_key": key })).await;
    let id = json!({ "id": made["api_key"]["id"] });
    tour.web(visitor, "ApiKeyService/GetApiKey", id.clone()).await;
    tour.web(visitor, "ApiKeyService/ListApiKeys", json!({})).await;
    tour.web(visitor, "ApiKeyService/RevokeApiKey", id).await;
}

async fn activities(tour: &Tour, visitor: &mut impl Visitor) {
    let request = json!({ "actor_user_id": tour.org.admin.user_id });
    let list = tour.web(visitor, "ActivityService/ListActivities", request).await;
    let id = json!({ "id": list["activities"][0]["id"] });
    tour.web(visitor, "ActivityService/GetActivity", id).await;
}
