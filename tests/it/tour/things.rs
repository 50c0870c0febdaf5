//! Platforms, core actions, agents and their shares.

use super::{Tour, Visitor};
use freehold_tests::{client::As, stack::Org};
use serde_json::{Value, json};

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    platforms(tour, visitor).await;
    core_actions(tour, visitor).await;
    agents(tour, visitor).await;
}

async fn platforms(tour: &Tour, visitor: &mut impl Visitor) {
    let request = json!({ "platform": { "slug": format!("{}-p", tour.org.slug), "name": "Octo" } });
    let platform = tour.web(visitor, "PlatformService/CreatePlatform", request).await;
    let id = json!({ "id": platform["id"] });
    tour.web(visitor, "PlatformService/GetPlatform", id.clone()).await;
    tour.web(visitor, "PlatformService/ListPlatforms", json!({})).await;
    let request =
        json!({ "platform": { "id": platform["id"], "name": "Hexa" }, "update_mask": ["name"] });
    tour.web(visitor, "PlatformService/UpdatePlatform", request).await;
    tour.web(visitor, "PlatformService/DeletePlatform", id).await;
}

async fn core_actions(tour: &Tour, visitor: &mut impl Visitor) {
    let http = json!({ "method": "GET", "url": "https://example.test/" });
    let request = json!({ "core_action": { "slug": "look", "name": "Look", "http": http } });
    let action = tour.web(visitor, "CoreActionService/CreateCoreAction", request).await;
    let id = json!({ "id": action["id"] });
    tour.web(visitor, "CoreActionService/GetCoreAction", id.clone()).await;
    tour.web(visitor, "CoreActionService/ListCoreActions", json!({})).await;
    let changed = json!({ "id": action["id"], "name": "See" });
    let request = json!({ "core_action": changed, "update_mask": ["name"] });
    tour.web(visitor, "CoreActionService/UpdateCoreAction", request).await;
    tour.web(visitor, "CoreActionService/DeleteCoreAction", id).await;
}

/// An api agent with one call.
pub(super) fn agent(slug: &str, action: &str) -> Value {
    json!({
        "slug": slug,
        "name": "Agent of the tour",
        "type": "AGENT_TYPE_API",
        "endpoint": { "calls": [{ "step_key": "look", "core_action_id": action }] },
    })
}

async fn agents(tour: &Tour, visitor: &mut impl Visitor) {
    let action = tour.org.action(&tour.remote.url("/echo")).await;
    let request = json!({ "agent": agent("tour", &action) });
    let made = tour.web(visitor, "AgentService/CreateAgent", request).await;
    let id = json!({ "id": made["id"] });
    tour.web(visitor, "AgentService/GetAgent", id.clone()).await;
    tour.web(visitor, "AgentService/ListAgents", json!({})).await;
    let changed = json!({ "id": made["id"], "name": "Another name" });
    let request = json!({ "agent": changed, "update_mask": ["name"] });
    tour.web(visitor, "AgentService/UpdateAgent", request).await;

    // Whoever shares is an admin on both sides.
    let partner = tour.stack.organization().await;
    let admin = json!({ "email": tour.org.admin.email, "role": "MEMBER_ROLE_ADMIN" });
    partner.owner().call("MemberService/AddMember", admin).await.unwrap();
    let share = json!({ "agent_id": made["id"], "organization_id": partner.id });
    tour.web(visitor, "AgentService/ShareAgent", share.clone()).await;
    let request = json!({ "agent_id": made["id"] });
    tour.web(visitor, "AgentService/ListAgentShares", request).await;
    tour.web(visitor, "AgentService/UnshareAgent", share).await;
    tour.web(visitor, "AgentService/DeleteAgent", id).await;
    share_back(tour, &partner).await;
}

/// Leaves an agent of the partner's with the tour's organization, by somebody who is an admin of both.
async fn share_back(tour: &Tour, partner: &Org) {
    let agent = partner.agent(&["https://example.test/"]).await;
    let user = &tour.org.admin.user_id;
    let key = json!({ "name": "both", "role": "MEMBER_ROLE_ADMIN", "user_id": user });
    let key = json!({ "api_key": key });
    let made = partner.platform().call("ApiKeyService/CreateApiKey", key).await.unwrap();
    let both = partner.admin().with_identity(As::key(made["secret"].as_str().unwrap()));
    let share = json!({ "agent_id": agent, "organization_id": tour.org.id });
    both.call("AgentService/ShareAgent", share).await.unwrap();
}
