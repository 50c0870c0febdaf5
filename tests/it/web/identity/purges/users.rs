//! A person who is erased: nobody tells of it any more, and what it did stays.

use super::{finished, organizations::Nobody, places, receipt, rows};
use crate::tour::Tour;
use freehold_tests::{errors::assert_fails, stack::Stack};
use serde_json::json;
use shared_db::{
    contract::{Contract, RowScope},
    error::Reason,
};
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;
use tonic::Code;

const PURGE: &str = "UserService/PurgeUser";

#[tokio::test]
async fn nothing_tells_of_a_person_and_what_it_did_stays() {
    let tour = Tour::go(&mut Nobody).await;
    let pool = tour.stack.database.superuser();
    let id = tour.org.developer.user_id.as_str();
    let told = places(&pool, id).await;
    assert!(10 < told.len(), "the tour names its developer in {told:?}");
    let before = rows(&pool, &tour.org.id).await;

    let asked = tour.stack.platform().call(PURGE, json!({ "id": id })).await.unwrap();
    assert_eq!(asked["subject"], "PURGE_SUBJECT_USER");
    let call = tour.org.developer().call("MemberService/ListMembers", json!({})).await;
    call.unwrap_err();
    let done = finished(&tour.stack, &asked["id"]).await;

    assert_eq!(places(&pool, id).await, [""; 0]);
    let receipt = receipt(&done);
    assert_eq!(receipt["web.users"].0, 1);
    for (table, mut count) in rows(&pool, &tour.org.id).await {
        // The purge itself is in the trail.
        count -= i64::from(table == "web.activities");
        let gone = receipt.get(&table).map_or(0, |it| it.0);
        assert_eq!(count + gone, before[&table], "{table}");
        let private = ["web.api_keys", "web.organization_members"].contains(&table.as_str());
        assert!(private || gone == 0, "{gone} rows of {table} are gone");
    }
    assert!(receipt["web.api_keys"].0 > 0 && receipt["web.activities"].1 > 0, "{receipt:?}");
    assert!(receipt["runtime.agent_versions"].1 > 0, "{receipt:?}");
}

/// How many rows of a person there are in each table whose rows are a person's own.
async fn own(tour: &Tour, user: &str) -> BTreeMap<String, i64> {
    let pool = tour.stack.database.superuser();
    let mut all = BTreeMap::new();
    for table in Contract::embedded().tables.iter().filter(|it| it.scope == RowScope::Private) {
        let sql = format!("select count(*) from {} where user_id = '{user}'", table.path());
        let count = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap();
        all.insert(table.path(), count);
    }
    all
}

#[tokio::test]
async fn what_was_a_persons_own_goes_with_them_and_nobody_elses() {
    let tour = Tour::go(&mut Nobody).await;
    let (viewer, admin) = (&tour.org.viewer.user_id, &tour.org.admin.user_id);
    let email = json!({ "email": { "folder": "EMAIL_FOLDER_INBOX", "subject": "Stays" } });
    tour.org.admin().call("EmailService/CreateEmail", email).await.unwrap();
    let (before, others) = (own(&tour, viewer).await, own(&tour, admin).await);
    assert!(
        before.len() > 5 && before.values().all(|it| 0 < *it),
        "the tour leaves one in each: {before:?}"
    );
    assert_eq!(others["web.emails"], 1);

    let asked = tour.stack.platform().call(PURGE, json!({ "id": viewer })).await.unwrap();
    let receipt = receipt(&finished(&tour.stack, &asked["id"]).await);
    for (table, count) in before {
        assert_eq!(receipt.get(&table).map(|it| it.0), Some(count), "{table} on the receipt");
    }
    assert!(own(&tour, viewer).await.values().all(|it| *it == 0));
    assert_eq!(own(&tour, admin).await, others);
}

#[tokio::test]
async fn people_purge_themselves_and_nobody_else() {
    let stack = Stack::start().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let viewer = json!({ "id": org.viewer.user_id });
    let result = org.owner().call(PURGE, viewer.clone()).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    let result = other.owner().call(PURGE, viewer.clone()).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);

    let asked = org.viewer().call(PURGE, viewer.clone()).await.unwrap();
    let again = org.viewer().call(PURGE, viewer.clone()).await;
    assert_fails(again, Code::PermissionDenied, Reason::UserInactive, None);
    // At once somebody else may have the address.
    let new = json!({ "user": { "email": org.viewer.email, "name": "Another" } });
    stack.platform().call("UserService/CreateUser", new).await.unwrap();
    finished(&stack, &asked["id"]).await;
    let result = stack.platform().call(PURGE, viewer).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let members = org.owner().call("MemberService/ListMembers", json!({})).await.unwrap();
    assert_eq!(members["members"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_last_owner_of_an_organization_stays() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let owner = json!({ "id": org.owner.user_id });
    let result = org.owner().call(PURGE, owner.clone()).await;
    let status = assert_fails(result, Code::FailedPrecondition, Reason::LastOwner, None);
    assert!(status.message().contains("make someone else owner, or purge"), "{status:?}");
    org.owner().call("MemberService/ListMembers", json!({})).await.unwrap();

    // Two owners: one may go, and only one of two who go at once.
    let member = json!({ "user_id": org.admin.user_id, "role": "MEMBER_ROLE_OWNER" });
    let change = json!({ "member": member, "update_mask": ["role"] });
    org.owner().call("MemberService/UpdateMember", change).await.unwrap();
    let admin = json!({ "id": org.admin.user_id });
    let (one, two) = (org.owner(), org.admin());
    let (one, two) = tokio::join!(one.call(PURGE, owner), two.call(PURGE, admin));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|it| **it).count(), 1, "{one:?} {two:?}");
    let refused = [one, two].into_iter().find(Result::is_err).unwrap();
    assert_fails(refused, Code::FailedPrecondition, Reason::LastOwner, None);
}

#[tokio::test]
async fn with_their_organization_its_owners_may_go() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    let request = json!({ "id": org.id, "confirm_slug": org.slug });
    let first = org.owner().call("OrganizationService/PurgeOrganization", request).await.unwrap();
    let owner = json!({ "id": org.owner.user_id });
    let second = stack.platform().call(PURGE, owner).await.unwrap();
    finished(&stack, &first["id"]).await;
    finished(&stack, &second["id"]).await;
    let pool = stack.database.superuser();
    for id in [&org.id, &org.owner.user_id] {
        assert_eq!(places(&pool, id).await, [""; 0]);
    }
}
