//! API keys: what they can do, and when they end.

use freehold_tests::{
    client::{As, Caller},
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{
    error::Reason,
    ids::{ApiKeyId, OrganizationId},
    scope::{Scope, Service},
};
use std::time::Duration;
use tonic::{Code, Status};
use web_service::store::identity::api_keys;

async fn create(by: &Caller, key: Value) -> Result<Value, Status> {
    by.call("ApiKeyService/CreateApiKey", json!({ "api_key": key })).await
}

fn with(org: &Org, key: &str) -> Caller {
    org.owner().with_identity(As::key(key))
}

async fn list(caller: &Caller) -> Result<Value, Status> {
    caller.call("CoreActionService/ListCoreActions", json!({})).await
}

#[tokio::test]
async fn a_key_does_no_more_than_who_makes_it() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let key = |role: &str| json!({ "name": "k", "role": format!("MEMBER_ROLE_{role}") });
    let result = create(&org.admin(), key("OWNER")).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    create(&org.admin(), key("ADMIN")).await.unwrap();
    create(&org.owner(), key("OWNER")).await.unwrap();
    let result = create(&org.developer(), key("VIEWER")).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
}

#[tokio::test]
async fn a_key_does_no_more_than_the_member_that_it_acts_for() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let key = json!({ "name": "k", "role": "MEMBER_ROLE_OWNER", "user_id": org.viewer.user_id });
    let made = create(&org.platform(), key).await.unwrap();
    let caller = with(&org, made["secret"].as_str().unwrap());
    list(&caller).await.unwrap();
    let result = caller.call("ApiKeyService/ListApiKeys", json!({})).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
}

/// A key that can do less than whom it belongs to was made so on purpose: permissions of theirs do not widen it.
#[tokio::test]
async fn a_lesser_key_has_none_of_its_members_permissions() {
    let org = Stack::shared().await.organization().await;
    let user = &org.developer.user_id;
    org.permit(&org.developer, &["ActivityService/*"]).await;
    let activities = async |role: &str| {
        let role = format!("MEMBER_ROLE_{role}");
        let key = json!({ "name": "k", "role": role, "user_id": user });
        let made = create(&org.platform(), key).await.unwrap();
        let caller = with(&org, made["secret"].as_str().unwrap());
        caller.call("ActivityService/ListActivities", json!({})).await
    };
    activities("DEVELOPER").await.unwrap();
    let result = activities("VIEWER").await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
}

#[tokio::test]
async fn a_key_acts_for_a_member_or_for_nobody() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    for stranger in [&other.viewer.user_id, &ApiKeyId::generate().to_string()] {
        let key = json!({ "name": "k", "role": "MEMBER_ROLE_VIEWER", "user_id": stranger });
        let result = create(&org.platform(), key).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
}

/// Whoever holds it would read the member's mail, and could purge the member from all organizations.
#[tokio::test]
async fn nobody_makes_a_key_that_acts_for_somebody_else() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let add = json!({ "email": other.owner.email, "role": "MEMBER_ROLE_VIEWER" });
    org.admin().call("MemberService/AddMember", add).await.unwrap();
    let key = |user: &str| json!({ "name": "k", "role": "MEMBER_ROLE_VIEWER", "user_id": user });
    let service = json!({ "name": "k", "role": "MEMBER_ROLE_ADMIN" });
    let service = create(&org.admin(), service).await.unwrap();
    let service = with(&org, service["secret"].as_str().unwrap());
    for by in [&org.admin(), &org.owner(), &service] {
        for user in [&org.viewer.user_id, &other.owner.user_id, &other.viewer.user_id] {
            let result = create(by, key(user)).await;
            assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
        }
    }
    create(&org.admin(), key(&org.admin.user_id)).await.unwrap();
    // A member who is permitted to make keys makes their own.
    org.permit(&org.viewer, &["ApiKeyService/CreateApiKey"]).await;
    let result = create(&org.viewer(), key(&org.developer.user_id)).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    let made = create(&org.viewer(), key(&org.viewer.user_id)).await.unwrap();
    list(&with(&org, made["secret"].as_str().unwrap())).await.unwrap();
}

#[tokio::test]
async fn a_revoked_key_is_refused_also_where_it_was_remembered() {
    let stack = Stack::builder().without_runtime().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let org = stack.organization().await;
    list(&org.developer()).await.unwrap();
    let id = json!({ "id": org.developer.key_id });
    let revoked = org.admin().call("ApiKeyService/RevokeApiKey", id.clone()).await.unwrap();
    assert!(revoked["revoke_time"].is_string());
    let result = list(&org.developer()).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
    // For good: revoking again changes nothing, and the key is still to be seen.
    let again = org.admin().call("ApiKeyService/RevokeApiKey", id.clone()).await.unwrap();
    assert_eq!(again["revoke_time"], revoked["revoke_time"]);
    org.admin().call("ApiKeyService/GetApiKey", id).await.unwrap();
}

#[tokio::test]
async fn a_key_ends_when_it_says_also_where_it_is_remembered() {
    let stack = Stack::builder().without_runtime().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let org = stack.organization().await;
    let soon = shared_db::clock::Clock::System.now() + Duration::from_secs(2);
    let key = |at: &str| json!({ "name": "k", "role": "MEMBER_ROLE_VIEWER", "expire_time": at });
    let result = create(&org.admin(), key("2001-01-01T00:00:00Z")).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, "api_key.expire_time");
    let made = create(&org.admin(), key(&soon.to_rfc3339())).await.unwrap();
    let caller = with(&org, made["secret"].as_str().unwrap());
    list(&caller).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_fails(list(&caller).await, Code::Unauthenticated, Reason::CredentialsInvalid, None);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_as_its_hash() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let key = json!({ "name": "k", "role": "MEMBER_ROLE_VIEWER" });
    let made = create(&org.admin(), key).await.unwrap();
    let whole = made["secret"].as_str().unwrap();
    let prefix = made["api_key"]["prefix"].as_str().unwrap();
    // Not what stands behind the last underscore: the secret may have some of its own.
    let secret = whole.strip_prefix(&format!("fh_{prefix}_")).unwrap();
    assert!(32 <= secret.len(), "{whole}");
    let listed = org.admin().call("ApiKeyService/ListApiKeys", json!({})).await.unwrap();
    assert!(!listed.to_string().contains(secret));
    let row: String =
        sqlx::query_scalar("select to_jsonb(k)::text from web.api_keys k where prefix = $1")
            .bind(prefix)
            .fetch_one(&stack.database.superuser())
            .await
            .unwrap();
    assert!(!row.contains(secret), "{row}");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_key_it_is_refused_in_the_same_words() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let good = &org.owner.key;
    let prefix = good.split('_').nth(1).unwrap();
    let zeros = "A".repeat(43);
    let mut messages = Vec::new();
    for key in [
        format!("fh_{prefix}_{zeros}"),
        format!("fh_aaaaaaaaaaaa_{zeros}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        "fh_'; drop table web.api_keys; --".to_owned(),
    ] {
        let result = list(&with(&org, &key)).await;
        let status = assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
        messages.push(status.message().to_owned());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let no_bearer = org.owner().with_identity(As::default().with("authorization", good));
    let result = list(&no_bearer).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsMissing, None);
}

#[tokio::test]
async fn the_key_of_the_runtime_is_refused() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let runtime = As::key(freehold_tests::doors::RUNTIME_KEY).in_org(&org.id);
    let result = list(&org.owner().with_identity(runtime)).await;
    assert_fails(result, Code::PermissionDenied, Reason::PeerNotAllowed, None);
}

#[tokio::test]
async fn the_use_of_a_key_is_noted() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    list(&org.developer()).await.unwrap();
    let get = json!({ "id": org.developer.key_id });
    for _ in 0..100 {
        let key = org.admin().call("ApiKeyService/GetApiKey", get.clone()).await.unwrap();
        if key["last_use_time"].is_string() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the use was not noted within five seconds");
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let superuser = stack.database.superuser();
    let id: ApiKeyId = org.viewer.key_id.parse().unwrap();
    let organization: OrganizationId = org.id.parse().unwrap();
    let db = stack.database.db(Service::Web);
    // Whether a use is noted of a key that was last used so long ago. Replicas share nothing but this statement.
    let noted = async |ago: &str| -> bool {
        let set = "update web.api_keys set last_used_at = now() - $1::text::interval where id = $2";
        sqlx::query(set).bind(ago).bind(id.0).execute(&superuser).await.unwrap();
        let mut tx = db.begin(Scope::Tenant(organization, None)).await.unwrap();
        api_keys::touch(&mut tx, organization, id).await.unwrap();
        tx.commit().await.unwrap();
        let fresh =
            "select now() - last_used_at < interval '10 seconds' from web.api_keys where id = $1";
        sqlx::query_scalar(fresh).bind(id.0).fetch_one(&superuser).await.unwrap()
    };
    assert!(!noted("50 seconds").await);
    assert!(noted("61 seconds").await);
}
