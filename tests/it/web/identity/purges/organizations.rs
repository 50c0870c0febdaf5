//! An organization that is erased: all of it, and nothing of another.

use super::{finished, places, receipt, rows, until};
use crate::{
    tenancy::tables::digest,
    tour::{Step, Tour, Visitor},
};
use freehold_tests::{
    client::As,
    errors::assert_fails,
    remote::Remote,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{contract::Contract, error::Reason, ids::OrganizationId};
use sqlx::AssertSqlSafe;
use tonic::{Code, Status};

pub(super) struct Nobody;

impl Visitor for Nobody {
    async fn before(&mut self, _: &Tour, _: &Step) {}
}

async fn purge(org: &Org) -> Result<Value, Status> {
    let request = json!({ "id": org.id, "confirm_slug": org.slug });
    org.owner().call("OrganizationService/PurgeOrganization", request).await
}

#[tokio::test]
async fn nothing_is_left_of_an_organization_but_its_purge() {
    let tour = Tour::go(&mut Nobody).await;
    let other = Tour::on(tour.stack.clone(), &mut Nobody).await;
    let pool = tour.stack.database.superuser();
    let id = tour.org.id.as_str();
    let before = rows(&pool, id).await;
    for (table, count) in &before {
        assert!(0 < *count, "the tour leaves rows in {table}");
    }
    let untouched = digest(&pool, &other.org.id).await;

    let asked = purge(&tour.org).await.unwrap();
    assert_eq!(asked["subject_id"], id);
    assert_eq!(asked["requested_by"], tour.org.owner.user_id);
    let done = finished(&tour.stack, &asked["id"]).await;

    assert_eq!(places(&pool, id).await, [""; 0]);
    assert_eq!(digest(&pool, &other.org.id).await, untouched);
    let receipt = receipt(&done);
    for (table, count) in before {
        // Executions that are cancelled on the way leave these, and more of others.
        if ["runtime.data_waits", "runtime.execution_queue"].contains(&table.as_str()) {
            continue;
        }
        // Whoever removes what is outside of the database keeps no receipt.
        if Contract::embedded().tables.iter().any(|it| it.path() == table && it.outside) {
            continue;
        }
        let erased = receipt.get(&table).map_or(0, |it| it.0);
        assert!(count <= erased, "{table}: {count} rows, and {erased} on the receipt");
    }
    assert_eq!(receipt["web.organizations"], (1, 0));
    let all = Contract::embedded();
    assert!(receipt.keys().all(|it| all.tables.iter().any(|table| table.path() == *it)));
    // The slug is free, and whoever was a member is still a user.
    let new = json!({ "organization": { "slug": tour.org.slug, "name": "Anew" } });
    tour.stack.platform().call("OrganizationService/CreateOrganization", new).await.unwrap();
    let member = json!({ "id": tour.org.viewer.user_id });
    tour.stack.platform().call("UserService/GetUser", member).await.unwrap();
    let again = purge(&tour.org).await;
    assert_fails(again, Code::Unauthenticated, Reason::CredentialsInvalid, None);
}

#[tokio::test]
async fn only_an_owner_who_names_the_slug_purges() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let method = "OrganizationService/PurgeOrganization";
    for slug in ["", &other.slug] {
        let request = json!({ "id": org.id, "confirm_slug": slug });
        let result = org.owner().call(method, request).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "confirm_slug");
    }
    let request = json!({ "id": org.id, "confirm_slug": org.slug });
    let result = org.admin().call(method, request.clone()).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    let result = other.owner().call(method, request).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    org.viewer().call("MemberService/ListMembers", json!({})).await.unwrap();
}

#[tokio::test]
async fn while_it_is_purged_an_organization_takes_no_calls() {
    // Without a runtime it does not come to its end.
    let stack = Stack::builder().without_runtime().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let org = stack.organization().await;
    let list = json!({});
    org.viewer().call("MemberService/ListMembers", list.clone()).await.unwrap();
    let (first, second) = tokio::join!(purge(&org), purge(&org));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first["id"], second["id"], "twice at once is once");
    assert_eq!(purge(&org).await.unwrap()["id"], first["id"]);

    let start = json!({ "agent_id": org.id, "request_id": "one" });
    for (caller, method, request) in [
        (org.viewer(), "MemberService/ListMembers", list.clone()),
        (org.developer(), "ExecutionService/StartExecution", start),
        (org.platform(), "MemberService/ListMembers", list),
    ] {
        let result = caller.call(method, request).await;
        let reason = Reason::OrganizationBeingPurged;
        assert_fails(result, Code::FailedPrecondition, reason, None);
    }
    let id = json!({ "id": first["id"] });
    let told = org.viewer().call("PurgeService/GetPurge", id.clone()).await.unwrap();
    assert_eq!(told["state"], "PURGE_STATE_STOPPING");
    let stranger = stack.organization().await;
    let result = stranger.owner().call("PurgeService/GetPurge", id).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let held = until(&stack, &first["id"], |it| it["error"] != "").await;
    assert!(held["error"].as_str().unwrap().contains("runtime-service"), "{held:#}");
    let pool = stack.database.superuser();
    assert_eq!(rows(&pool, &org.id).await["web.organization_members"], 4, "nothing is erased yet");
}

#[tokio::test]
async fn before_what_was_accepted_has_ended_nothing_is_erased() {
    let stack = Stack::builder().set_web("PURGE_SETTLE", "1h").start().await;
    let org = stack.organization().await;
    let waiting = json!([{ "step_key": "wait", "wait_signal": { "name": "go" } }]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": waiting } })).await;
    org.start(&agent, json!({})).await;
    let pool = stack.database.superuser();
    let before = rows(&pool, &org.id).await;
    assert_eq!(before["runtime.execution_queue"], 1);
    let asked = purge(&org).await.unwrap();
    while rows(&pool, &org.id).await["runtime.execution_queue"] == 1 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let held = until(&stack, &asked["id"], |_| true).await;
    assert_eq!(held["state"], "PURGE_STATE_STOPPING", "{held:#}");
    assert_eq!(held["error"], "", "{held:#}");
    for table in ["web.organization_members", "runtime.agent_executions", "runtime.agent_versions"]
    {
        assert_eq!(rows(&pool, &org.id).await[table], before[table], "{table}");
    }
    // Who comes past web, as a command that was on its way does, finds no agent.
    let late = OrganizationId::generate().to_string();
    let late = json!({ "execution_id": late, "agent_id": agent });
    let late = org.runtime().call("ExecutionService/StartExecution", late).await;
    assert_fails(late, Code::NotFound, Reason::ResourceNotFound, None);
}

/// An agent of `owner` that `user` may execute as well, by somebody who is an admin of both.
async fn share(owner: &Org, user: &Org, agent: &str) {
    let admin = json!({ "email": owner.admin.email, "role": "MEMBER_ROLE_ADMIN" });
    user.owner().call("MemberService/AddMember", admin).await.unwrap();
    let share = json!({ "agent_id": agent, "organization_id": user.id });
    owner.admin().call("AgentService/ShareAgent", share).await.unwrap();
}

#[tokio::test]
async fn what_runs_is_cancelled_first_also_where_another_uses_its_agent() {
    let stack = Stack::start().await;
    let remote = Remote::start().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let slow = org.agent(&[&remote.url("/hang")]).await;
    share(&org, &other, &slow).await;
    let own = other.agent(&[&remote.url("/echo")]).await;
    let kept = other.start(&own, json!({})).await;
    other.finish(&kept).await;
    let (running, theirs) =
        (org.start(&slow, json!({})).await, other.start(&slow, json!({})).await);
    let waiting = json!([{ "step_key": "wait", "wait_signal": { "name": "go" } }]);
    let waiting = org.agent_with(json!({ "endpoint": { "calls": waiting } })).await;
    org.start(&waiting, json!({})).await;
    while remote.requests_to("/hang").len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    let watched = tokio::spawn({
        let org = org.clone();
        async move { org.watch(&running).await }
    });
    let asked = purge(&org).await.unwrap();
    let done = finished(&stack, &asked["id"]).await;
    drop(watched);
    let pool = stack.database.superuser();
    assert_eq!(places(&pool, &org.id).await, [""; 0]);
    assert!(0 < receipt(&done)["runtime.agent_executions"].1, "{done:#}");
    // Of the other organization nothing is gone: what used the agent has ended, and says so.
    let ended = other.finish(&theirs).await;
    assert_eq!(ended["state"], "EXECUTION_STATE_CANCELLED", "{ended:#}");
    let nobody = "00000000-0000-0000-0000-000000000000";
    assert_eq!(ended["agent_organization_id"], nobody, "{ended:#}");
    assert_eq!(other.finish(&kept).await["state"], "EXECUTION_STATE_SUCCEEDED");
    // What the workers had in hand at the time comes to nothing.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(places(&pool, &org.id).await, [""; 0]);
}

#[tokio::test]
async fn the_keys_of_a_purged_organization_are_unknown_and_it_is_not_there() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let asked = purge(&org).await.unwrap();
    finished(&stack, &asked["id"]).await;
    let list = org.viewer().call("MemberService/ListMembers", json!({})).await;
    assert_fails(list, Code::Unauthenticated, Reason::CredentialsInvalid, None);
    let platform = stack.platform();
    let inside = platform.with_identity(platform.identity.clone().in_org(&org.id));
    let list = inside.call("MemberService/ListMembers", json!({})).await;
    assert_fails(list, Code::NotFound, Reason::ResourceNotFound, None);
    // Whoever asked by a key of it has lost it; the platform has the receipt.
    let get = json!({ "id": asked["id"] });
    let nobody = stack.nobody().with_identity(As::key(&org.owner.key));
    let result = nobody.call("PurgeService/GetPurge", get).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
}

#[tokio::test]
async fn more_rows_than_one_transaction_erases_are_counted_exactly() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let pool = stack.database.superuser();
    let many = format!(
        "insert into web.activities (org_id, id, action, resource_type, resource_id)
         select '{}', gen_random_uuid(), 'Test', 'test', gen_random_uuid() from generate_series(1, 2500)",
        org.id
    );
    sqlx::query(AssertSqlSafe(many)).execute(&pool).await.unwrap();
    let before = rows(&pool, &org.id).await;
    let asked = purge(&org).await.unwrap();
    let receipt = receipt(&finished(&stack, &asked["id"]).await);
    for (table, count) in before {
        assert_eq!(receipt.get(&table).map_or(0, |it| it.0), count, "{table}");
    }
}
