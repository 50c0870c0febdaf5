//! Tokens (JWT) of an issuer: who they stand for, and which are refused.

mod issuer;

use freehold_tests::{
    client::{As, Caller},
    errors::assert_fails,
    stack::{Org, Stack},
};
use issuer::{Issuer, Signer};
use serde_json::{Value, json};
use shared_db::{clock::Clock, error::Reason, ids::UserId};
use tonic::{Code, Status};

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "freehold";

struct World {
    stack: Stack,
    org: Org,
    user_id: String,
    subject: String,
}

/// web-service with an issuer, and a user of it who is an admin of an organization.
async fn world(setting: &'static str, source: &str) -> World {
    let stack = Stack::builder()
        .without_runtime()
        .set_web("JWT_ISSUER", ISSUER)
        .set_web("JWT_AUDIENCE", AUDIENCE)
        .set_web(setting, source)
        .start()
        .await;
    let org = stack.organization().await;
    let subject = format!("auth|{}", UserId::generate());
    let email = format!("{}@tokens.test", UserId::generate().0.simple());
    let user = json!({ "user": { "email": email, "name": "Ada", "subject": subject } });
    let user = stack.platform().call("UserService/CreateUser", user).await.unwrap();
    let add = json!({ "email": email, "role": "MEMBER_ROLE_ADMIN" });
    org.admin().call("MemberService/AddMember", add).await.unwrap();
    World { stack, org, user_id: user["id"].as_str().unwrap().to_owned(), subject }
}

impl World {
    fn claims(&self) -> Value {
        let now = Clock::System.now().timestamp();
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": self.subject, "exp": now + 600, "nbf": now - 10 })
    }

    fn with(&self, token: &str) -> Caller {
        self.stack.nobody().with_identity(As::key(token).in_org(&self.org.id))
    }

    async fn call(&self, token: &str) -> Result<Value, Status> {
        self.with(token).call("ApiKeyService/ListApiKeys", json!({})).await
    }
}

#[tokio::test]
async fn a_token_stands_for_its_user_in_the_organization_that_is_named() {
    let issuer = Issuer::new(&[Signer::es256("a"), Signer::eddsa("b"), Signer::rs256("c")]);
    let world = world("JWT_JWKS_FILE", issuer.file()).await;
    for signer in &issuer.signers {
        let token = signer.sign(&world.claims());
        world.call(&token).await.unwrap();
    }
    let token = issuer.signers[0].sign(&world.claims());
    let http = json!({ "method": "GET", "url": "https://example.test/" });
    let action = json!({ "core_action": { "slug": "a", "name": "A", "http": http } });
    let caller = world.with(&token);
    let made = caller.call("CoreActionService/CreateCoreAction", action).await.unwrap();
    let trail = json!({ "resource_id": made["id"] });
    let trail = caller.call("ActivityService/ListActivities", trail).await.unwrap();
    assert_eq!(trail["activities"][0]["actor_user_id"], json!(world.user_id));
    assert_eq!(trail["activities"][0]["actor_api_key_id"], "");

    // Another organization, be it there or not, is not there for it.
    let other = world.stack.organization().await;
    for org in [&other.id, &UserId::generate().to_string()] {
        let elsewhere = world.stack.nobody().with_identity(As::key(&token).in_org(org));
        let result = elsewhere.call("CoreActionService/ListCoreActions", json!({})).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    // In none it sees where it may act, and does nothing else.
    let nowhere = world.stack.nobody().with_identity(As::key(&token));
    let list = nowhere.call("OrganizationService/ListOrganizations", json!({})).await.unwrap();
    assert_eq!(list["organizations"].as_array().unwrap().len(), 1);
    assert_eq!(list["organizations"][0]["id"], json!(world.org.id));
    nowhere.call("CoreActionService/ListCoreActions", json!({})).await.unwrap_err();
}

#[tokio::test]
async fn a_token_that_is_not_quite_right_is_refused() {
    let issuer = Issuer::new(&[Signer::es256("a"), Signer::rs256("c")]);
    let world = world("JWT_JWKS_FILE", issuer.file()).await;
    let now = Clock::System.now().timestamp();
    let changed = |name: &str, value: Option<Value>| {
        let mut claims = world.claims();
        match value {
            None => drop(claims.as_object_mut().unwrap().remove(name)),
            Some(value) => claims[name] = value,
        }
        issuer.signers[0].sign(&claims)
    };
    let good = issuer.signers[0].sign(&world.claims());
    let (body, _) = good.rsplit_once('.').unwrap();
    let tokens = [
        changed("exp", Some(json!(now - 120))),
        changed("exp", None),
        changed("nbf", Some(json!(now + 600))),
        changed("iss", Some(json!("https://other.test"))),
        changed("iss", None),
        changed("aud", Some(json!("someone-else"))),
        changed("aud", None),
        changed("sub", Some(json!("auth|nobody"))),
        changed("sub", None),
        // Signed by somebody else under the issuer's name for its key.
        Signer::es256("a").sign(&world.claims()),
        // By a key that the issuer does not have.
        Signer::es256("z").sign(&world.claims()),
        // Under the name of a key of another kind.
        Signer::es256("c").sign(&world.claims()),
        // Without a name: tried with the issuer's one key of its kind, and found wanting.
        Signer::es256("a").sign_without_kid(&world.claims()),
        Signer::hs256("a").sign(&world.claims()),
        issuer::unsigned(&world.claims()),
        format!("{body}."),
        body.to_owned(),
        "a.b.c".to_owned(),
        format!("{good}A"),
        "x".repeat(5_000),
    ];
    for token in tokens {
        let result = world.call(&token).await;
        let status = assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
        assert!(!status.message().contains(&world.subject));
    }
    world.call(&good).await.unwrap();
    world.call(&issuer.signers[0].sign_without_kid(&world.claims())).await.unwrap();
}

#[tokio::test]
async fn an_inactive_user_is_refused_with_a_token() {
    let issuer = Issuer::new(&[Signer::es256("a")]);
    let world = world("JWT_JWKS_FILE", issuer.file()).await;
    let token = issuer.signers[0].sign(&world.claims());
    world.call(&token).await.unwrap();
    let id = json!({ "id": world.user_id });
    world.stack.platform().call("UserService/DeactivateUser", id).await.unwrap();
    let result = world.call(&token).await;
    assert_fails(result, Code::PermissionDenied, Reason::UserInactive, None);
}

/// Sets what a user may do on the platform, by its own key.
async fn set_system_role(world: &World, user: &str, role: &str) -> Result<Value, Status> {
    let user = json!({ "id": user, "system_role": format!("SYSTEM_ROLE_{role}") });
    let request = json!({ "user": user, "update_mask": ["system_role"] });
    world.stack.platform().call("UserService/UpdateUser", request).await
}

#[tokio::test]
async fn a_system_administrator_acts_in_any_organization_that_it_names_as_itself() {
    let issuer = Issuer::new(&[Signer::es256("a")]);
    let world = world("JWT_JWKS_FILE", issuer.file()).await;
    let token = issuer.signers[0].sign(&world.claims());
    let other = world.stack.organization().await;
    let there = world.stack.nobody().with_identity(As::key(&token).in_org(&other.id));
    let note = async || {
        let note = json!({ "note": { "title": "N" } });
        there.call("NoteService/CreateNote", note).await
    };
    assert_fails(note().await, Code::NotFound, Reason::ResourceNotFound, None);
    set_system_role(&world, &world.user_id, "SYSTEM_ADMIN").await.unwrap();
    let made = note().await.unwrap();
    assert_eq!(made["created_by"], json!(world.user_id));
    let trail = json!({ "resource_id": made["id"] });
    let trail = other.admin().call("ActivityService/ListActivities", trail).await.unwrap();
    assert_eq!(trail["activities"][0]["actor_user_id"], json!(world.user_id));
    let tier = json!({ "subscription_tier": { "slug": "system", "name": "System" } });
    there.call("SubscriptionTierService/CreateSubscriptionTier", tier).await.unwrap();

    let nowhere = As::key(&token).in_org(&UserId::generate().to_string());
    let nowhere = world.stack.nobody().with_identity(nowhere);
    let result = nowhere.call("NoteService/ListNotes", json!({})).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    // Without a name it is who it was.
    let anywhere = world.stack.nobody().with_identity(As::key(&token));
    let list = anywhere.call("OrganizationService/ListOrganizations", json!({})).await.unwrap();
    assert_eq!(list["organizations"].as_array().unwrap().len(), 1);

    set_system_role(&world, &world.user_id, "USER").await.unwrap();
    assert_fails(note().await, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn only_the_key_of_the_platform_makes_system_administrators() {
    let issuer = Issuer::new(&[Signer::es256("a")]);
    let world = world("JWT_JWKS_FILE", issuer.file()).await;
    let token = issuer.signers[0].sign(&world.claims());
    let admin = world.with(&token);
    let change = |id: &str, role: &str, mask: Value| {
        let user = json!({ "id": id, "name": "Ada", "system_role": role });
        json!({ "user": user, "update_mask": mask })
    };
    let update = async |caller: &Caller, request: Value| {
        caller.call("UserService/UpdateUser", request).await
    };
    let highest = "SYSTEM_ROLE_SYSTEM_ADMIN";
    for mask in [json!(["system_role"]), Value::Null] {
        let result = update(&admin, change(&world.user_id, highest, mask)).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    }
    // What is so already may be said.
    update(&admin, change(&world.user_id, "SYSTEM_ROLE_USER", Value::Null)).await.unwrap();
    set_system_role(&world, &world.user_id, "SYSTEM_ADMIN").await.unwrap();
    let viewer = &world.org.viewer.user_id;
    let result = update(&admin, change(viewer, highest, json!(["system_role"]))).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    update(&admin, change(viewer, highest, json!(["name"]))).await.unwrap();
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_fetched_when_it_is_first_seen() {
    let server = issuer::Server::start(&[Signer::es256("old")]).await;
    let world = world("JWT_JWKS_URL", &server.url).await;
    world.call(&server.signer().sign(&world.claims())).await.unwrap();
    let asked = server.asked();
    // Keys that nobody knows do not make us ask for each of them.
    for _ in 0..5 {
        world.call(&Signer::es256("unknown").sign(&world.claims())).await.unwrap_err();
    }
    assert!(server.asked() <= asked + 1, "asked {} times", server.asked());
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_asked_again() {
    let server = issuer::Server::start(&[]).await;
    let world = world("JWT_JWKS_URL", &server.url).await;
    let signer = Signer::eddsa("new");
    let token = signer.sign(&world.claims());
    server.publish(&[signer]);
    world.call(&token).await.unwrap();
}

#[tokio::test]
async fn a_person_asks_for_purges_by_a_token_and_outlives_that_of_an_organization() {
    let issuer = Issuer::new(&[Signer::es256("a")]);
    let world = world("JWT_JWKS_FILE", issuer.file()).await;
    let token = issuer.signers[0].sign(&world.claims());
    let member = json!({ "user_id": world.user_id, "role": "MEMBER_ROLE_OWNER" });
    let change = json!({ "member": member, "update_mask": ["role"] });
    world.org.owner().call("MemberService/UpdateMember", change).await.unwrap();
    let request = json!({ "id": world.org.id, "confirm_slug": world.org.slug });
    let method = "OrganizationService/PurgeOrganization";
    let purge = world.with(&token).call(method, request).await.unwrap();
    assert_fails(
        world.call(&token).await,
        Code::FailedPrecondition,
        Reason::OrganizationBeingPurged,
        None,
    );
    // In no organization the token is as good as before, and the purge is its user's.
    let anywhere = world.stack.nobody().with_identity(As::key(&token));
    let id = json!({ "id": purge["id"] });
    let read = anywhere.call("PurgeService/GetPurge", id).await.unwrap();
    assert_eq!(read["requested_by"], json!(world.user_id));
    let myself = json!({ "id": world.user_id });
    let purge = anywhere.call("UserService/PurgeUser", myself).await.unwrap();
    let again = anywhere.call("PurgeService/GetPurge", json!({ "id": purge["id"] })).await;
    assert_fails(again, Code::Unauthenticated, Reason::CredentialsInvalid, None);
}
