//! Agents that another organization may use.

use super::{fresh, idle_agent, later, start, trail, world};
use freehold_tests::{
    errors::{assert_fails, without_id},
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// Another organization, in which the admin of `org` has this role.
async fn with_our_admin(stack: &Stack, org: &Org, role: &str) -> Org {
    let other = stack.organization().await;
    let member = json!({ "email": org.admin.email, "role": role });
    other.owner().call("MemberService/AddMember", member).await.unwrap();
    other
}

fn share(agent: &str, with: &str) -> Value {
    json!({ "agent_id": agent, "organization_id": with })
}

#[tokio::test]
async fn a_shared_agent_is_used_by_the_other_organization_and_changed_by_its_own() {
    let (stack, org) = world().await;
    let other = with_our_admin(&stack, &org, "MEMBER_ROLE_ADMIN").await;
    let agent = idle_agent(&org).await;
    let unseen = other.viewer().call("AgentService/GetAgent", json!({ "id": agent })).await;
    assert_fails(unseen, Code::NotFound, Reason::ResourceNotFound, None);

    let shared =
        org.admin().call("AgentService/ShareAgent", share(&agent, &other.id)).await.unwrap();
    assert_eq!(
        (&shared["agent_id"], &shared["organization_id"]),
        (&json!(agent), &json!(other.id))
    );
    let again =
        org.admin().call("AgentService/ShareAgent", share(&agent, &other.id)).await.unwrap();
    assert_eq!(again, shared, "doing it again changes nothing");
    let request = json!({ "agent_id": agent });
    let list = org.viewer().call("AgentService/ListAgentShares", request.clone()).await.unwrap();
    assert_eq!(list["shares"], json!([shared]));

    let seen = other.viewer().call("AgentService/GetAgent", json!({ "id": agent })).await.unwrap();
    assert_eq!(seen["organization_id"], org.id);
    let own = other.viewer().call("AgentService/ListAgents", json!({})).await.unwrap();
    assert_eq!(own["agents"], json!([]), "the list is of what the organization owns");
    let request = json!({ "agent_id": agent, "request_id": fresh(), "not_before": later() });
    let execution = start(&other, request).await.unwrap();
    assert_eq!(execution["organization_id"], other.id);
    assert_eq!(execution["agent_organization_id"], org.id);
    let read = json!({ "id": execution["id"] });
    let unseen = org.viewer().call("ExecutionService/GetExecution", read).await;
    assert_fails(unseen, Code::NotFound, Reason::ResourceNotFound, None);

    let update = json!({ "agent": { "id": agent, "name": "Ours" }, "update_mask": ["name"] });
    let refused = other.developer().call("AgentService/UpdateAgent", update).await;
    assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
    let refused = other.developer().call("AgentService/DeleteAgent", json!({ "id": agent })).await;
    assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
    let list = json!({ "agent_id": agent });
    let refused = other.viewer().call("AgentService/ListAgentShares", list).await;
    assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);

    org.admin().call("AgentService/UnshareAgent", share(&agent, &other.id)).await.unwrap();
    org.admin().call("AgentService/UnshareAgent", share(&agent, &other.id)).await.unwrap();
    let unseen = other.viewer().call("AgentService/GetAgent", json!({ "id": agent })).await;
    assert_fails(unseen, Code::NotFound, Reason::ResourceNotFound, None);
    let started = start(&other, json!({ "agent_id": agent, "request_id": fresh() })).await;
    assert_fails(started, Code::NotFound, Reason::ResourceNotFound, None);
    let trail = trail(&org, &agent).await;
    assert_eq!(trail.iter().filter(|it| *it == "ShareAgent").count(), 2);
    assert_eq!(trail.last().unwrap(), "UnshareAgent");
}

#[tokio::test]
async fn an_organization_where_the_user_does_not_lead_is_not_found_whether_it_exists_or_not() {
    let (stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let mut answers = Vec::new();
    let strange = stack.organization().await;
    let developer = with_our_admin(&stack, &org, "MEMBER_ROLE_DEVELOPER").await;
    for with in [fresh(), strange.id, developer.id] {
        let refused = org.admin().call("AgentService/ShareAgent", share(&agent, &with)).await;
        let status = assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
        answers.push(without_id(&status, &with));
    }
    assert!(answers.windows(2).all(|it| it[0] == it[1]), "{answers:?}");
    // The platform's key acts for no user.
    let led = with_our_admin(&stack, &org, "MEMBER_ROLE_OWNER").await;
    let refused = org.platform().call("AgentService/ShareAgent", share(&agent, &led.id)).await;
    assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
    org.admin().call("AgentService/ShareAgent", share(&agent, &led.id)).await.unwrap();
}

#[tokio::test]
async fn an_agent_is_not_shared_with_its_own_organization() {
    let (_stack, org) = world().await;
    let agent = idle_agent(&org).await;
    let refused = org.admin().call("AgentService/ShareAgent", share(&agent, &org.id)).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "organization_id");
}

#[tokio::test]
async fn an_agent_of_another_organization_can_not_be_shared_on() {
    let (stack, org) = world().await;
    let other = with_our_admin(&stack, &org, "MEMBER_ROLE_ADMIN").await;
    let theirs = idle_agent(&other).await;
    let third = with_our_admin(&stack, &org, "MEMBER_ROLE_ADMIN").await;
    for agent in [theirs, fresh()] {
        let refused = org.admin().call("AgentService/ShareAgent", share(&agent, &third.id)).await;
        assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
        let refused = org.admin().call("AgentService/UnshareAgent", share(&agent, &third.id)).await;
        assert_fails(refused, Code::NotFound, Reason::ResourceNotFound, None);
    }
}
