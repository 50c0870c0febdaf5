//! Users: who sees and changes whom, and what being inactive means.

use freehold_tests::{errors::assert_fails, stack::Stack};
use serde_json::json;
use shared_db::{error::Reason, ids::UserId};
use tonic::Code;

fn email() -> String {
    format!("{}@users.test", UserId::generate().0.simple())
}

#[tokio::test]
async fn an_email_is_taken_once_whatever_its_case() {
    let stack = Stack::shared().await;
    let (platform, email) = (stack.platform(), email());
    let new = json!({ "user": { "email": email, "name": "Ada" } });
    platform.call("UserService/CreateUser", new).await.unwrap();
    let again = json!({ "user": { "email": email.to_uppercase(), "name": "Ada" } });
    let result = platform.call("UserService/CreateUser", again).await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
}

#[tokio::test]
async fn people_change_themselves_and_nobody_else() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let change = |id: &str| json!({ "user": { "id": id, "name": "New" }, "update_mask": ["name"] });
    let update = "UserService/UpdateUser";
    let own = org.viewer().call(update, change(&org.viewer.user_id)).await.unwrap();
    assert_eq!(own["name"], "New");
    let result = org.owner().call(update, change(&org.viewer.user_id)).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    let result = org.owner().call(update, change(&other.viewer.user_id)).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    stack.platform().call(update, change(&org.viewer.user_id)).await.unwrap();
}

#[tokio::test]
async fn a_preferred_organization_is_one_that_the_user_belongs_to() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let prefer = async |id: Option<&str>| {
        let user = json!({ "id": org.viewer.user_id, "current_organization_id": id });
        let request = json!({ "user": user, "update_mask": ["current_organization_id"] });
        org.viewer().call("UserService/UpdateUser", request).await
    };
    let field = "user.current_organization_id";
    let result = prefer(Some(&other.id)).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    // One that does not exist is refused in the same words.
    let result = prefer(Some(&UserId::generate().to_string())).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    assert_eq!(prefer(Some(&org.id)).await.unwrap()["current_organization_id"], json!(org.id));
    // It tells of the user's life elsewhere: colleagues don't see it.
    let get = json!({ "id": org.viewer.user_id });
    let seen = org.owner().call("UserService/GetUser", get).await.unwrap();
    assert!(seen["current_organization_id"].is_null(), "{seen}");
    assert!(prefer(None).await.unwrap()["current_organization_id"].is_null());
}

#[tokio::test]
async fn an_inactive_user_is_refused_with_every_key() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let id = json!({ "id": org.developer.user_id });
    let list = async || org.developer().call("CoreActionService/ListCoreActions", json!({})).await;
    list().await.unwrap();
    let user = stack.platform().call("UserService/DeactivateUser", id.clone()).await.unwrap();
    assert_eq!(user["active"], false);
    assert_fails(list().await, Code::PermissionDenied, Reason::UserInactive, None);
    stack.platform().call("UserService/ReactivateUser", id).await.unwrap();
    list().await.unwrap();
}

#[tokio::test]
async fn an_inactive_user_is_forgotten_at_once_where_it_was_remembered() {
    let stack = Stack::builder().without_runtime().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let org = stack.organization().await;
    let list = async || org.viewer().call("CoreActionService/ListCoreActions", json!({})).await;
    list().await.unwrap();
    let id = json!({ "id": org.viewer.user_id });
    stack.platform().call("UserService/DeactivateUser", id).await.unwrap();
    assert_fails(list().await, Code::PermissionDenied, Reason::UserInactive, None);
}

#[tokio::test]
async fn only_the_platform_creates_and_deactivates() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let new = json!({ "user": { "email": email(), "name": "Ada" } });
    let id = json!({ "id": org.viewer.user_id });
    for (method, request) in
        [("CreateUser", new), ("DeactivateUser", id.clone()), ("ReactivateUser", id)]
    {
        let result = org.owner().call(&format!("UserService/{method}"), request).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    }
}

#[tokio::test]
async fn a_caller_sees_the_members_of_its_organization_and_no_one_else() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let list = org.viewer().call("UserService/ListUsers", json!({})).await.unwrap();
    let list = list["users"].as_array().unwrap().clone();
    assert_eq!(list.len(), 4);
    assert!(list.iter().all(|it| it["id"] != json!(other.owner.user_id)));
    let get = json!({ "id": other.owner.user_id });
    let result = org.owner().call("UserService/GetUser", get.clone()).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    stack.platform().call("UserService/GetUser", get).await.unwrap();
}
