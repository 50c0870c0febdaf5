//! Members: who makes whom what, and the last owner.

use freehold_tests::{
    client::{As, Caller},
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::UserId};
use tonic::{Code, Status};

fn role(user: &str, role: &str) -> Value {
    json!({ "member": { "user_id": user, "role": format!("MEMBER_ROLE_{role}") }, "update_mask": ["role"] })
}

fn email() -> String {
    format!("{}@members.test", UserId::generate().0.simple())
}

async fn owners(org: &Org) -> usize {
    let request = json!({ "role": "MEMBER_ROLE_OWNER" });
    let list = org.developer().call("MemberService/ListMembers", request).await;
    list.unwrap()["members"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_last_owner_neither_leaves_nor_steps_down() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let owner = org.owner();
    let down = owner.call("MemberService/UpdateMember", role(&org.owner.user_id, "ADMIN")).await;
    assert_fails(down, Code::FailedPrecondition, Reason::LastOwner, None);
    let id = json!({ "user_id": org.owner.user_id });
    let leave = owner.call("MemberService/RemoveMember", id.clone()).await;
    assert_fails(leave, Code::FailedPrecondition, Reason::LastOwner, None);
    // The platform is no exception.
    let remove = org.platform().call("MemberService/RemoveMember", id.clone()).await;
    assert_fails(remove, Code::FailedPrecondition, Reason::LastOwner, None);
    owner.call("MemberService/UpdateMember", role(&org.admin.user_id, "OWNER")).await.unwrap();
    owner.call("MemberService/RemoveMember", id).await.unwrap();
    assert_eq!(owners(&org).await, 1);
}

#[tokio::test]
async fn an_owner_who_is_not_active_does_not_count() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let up = role(&org.admin.user_id, "OWNER");
    org.owner().call("MemberService/UpdateMember", up).await.unwrap();
    let other = json!({ "id": org.admin.user_id });
    stack.platform().call("UserService/DeactivateUser", other.clone()).await.unwrap();
    let down = role(&org.owner.user_id, "VIEWER");
    for (method, request) in [
        ("MemberService/UpdateMember", down),
        ("MemberService/RemoveMember", json!({ "user_id": org.owner.user_id })),
        ("MemberService/LeaveOrganization", json!({})),
        ("UserService/PurgeUser", json!({ "id": org.owner.user_id })),
    ] {
        let result = org.owner().call(method, request).await;
        assert_fails(result, Code::FailedPrecondition, Reason::LastOwner, None);
    }
    // Whoever does not count may go.
    let gone = json!({ "user_id": org.admin.user_id });
    org.owner().call("MemberService/RemoveMember", gone).await.unwrap();
    assert_eq!(owners(&org).await, 1);
}

#[tokio::test]
async fn nobody_becomes_owner_who_is_being_purged() {
    let stack = Stack::builder().without_runtime().set_web("PURGE_SETTLE", "1h").start().await;
    let org = stack.organization().await;
    let gone = json!({ "id": org.viewer.user_id });
    org.viewer().call("UserService/PurgeUser", gone).await.unwrap();
    let up = role(&org.viewer.user_id, "OWNER");
    let result = org.owner().call("MemberService/UpdateMember", up).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    assert_eq!(owners(&org).await, 1);
}

#[tokio::test]
async fn whoever_wants_to_leaves_and_needs_nobody_for_it() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let leave = async |by: Caller| by.call("MemberService/LeaveOrganization", json!({})).await;
    leave(org.viewer()).await.unwrap();
    leave(org.developer()).await.unwrap();
    let gone = json!({ "user_id": org.viewer.user_id });
    let result = org.admin().call("MemberService/GetMember", gone).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let result = leave(org.viewer()).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
    let trail = json!({ "resource_id": org.viewer.user_id });
    let trail = org.admin().call("ActivityService/ListActivities", trail).await.unwrap();
    assert_eq!(trail["activities"][0]["action"], "LeaveOrganization");

    assert_fails(leave(org.platform()).await, Code::PermissionDenied, Reason::UserMissing, None);
    let result = leave(org.owner()).await;
    assert_fails(result, Code::FailedPrecondition, Reason::LastOwner, None);
    // A key that was made to do less does not take its member away.
    let key = json!({ "name": "less", "role": "MEMBER_ROLE_VIEWER", "user_id": org.admin.user_id });
    let key = json!({ "api_key": key });
    let key = org.admin().call("ApiKeyService/CreateApiKey", key).await.unwrap();
    let less = org.admin().with_identity(As::key(key["secret"].as_str().unwrap()));
    assert_fails(leave(less).await, Code::PermissionDenied, Reason::RoleTooLow, None);
    leave(org.admin()).await.unwrap();
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let stack = Stack::shared().await;
    for leave in [true, false] {
        let org = stack.organization().await;
        let up = role(&org.admin.user_id, "OWNER");
        org.owner().call("MemberService/UpdateMember", up).await.unwrap();
        let platform = org.platform();
        let go = async |user: &str| -> Result<Value, Status> {
            if leave {
                platform.call("MemberService/RemoveMember", json!({ "user_id": user })).await
            } else {
                platform.call("MemberService/UpdateMember", role(user, "VIEWER")).await
            }
        };
        let (one, other) = tokio::join!(go(&org.owner.user_id), go(&org.admin.user_id));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let refused = one.and(other);
        assert_fails(refused, Code::FailedPrecondition, Reason::LastOwner, None);
        assert_eq!(owners(&org).await, 1);
    }
}

#[tokio::test]
async fn admins_neither_make_nor_unmake_owners() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let owner = json!({ "user_id": org.owner.user_id });
    let add = json!({ "email": email(), "role": "MEMBER_ROLE_OWNER" });
    for (method, request) in [
        ("AddMember", add.clone()),
        ("UpdateMember", role(&org.viewer.user_id, "OWNER")),
        ("UpdateMember", role(&org.admin.user_id, "OWNER")),
        ("UpdateMember", role(&org.owner.user_id, "VIEWER")),
        ("RemoveMember", owner),
    ] {
        let result = org.admin().call(&format!("MemberService/{method}"), request).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    }
    org.owner().call("MemberService/AddMember", add).await.unwrap();
    org.admin()
        .call("MemberService/UpdateMember", role(&org.viewer.user_id, "ADMIN"))
        .await
        .unwrap();
}

#[tokio::test]
async fn adding_tells_nothing_of_who_has_an_account() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let add = async |email: &str| {
        let request = json!({ "email": email, "role": "MEMBER_ROLE_VIEWER" });
        org.admin().call("MemberService/AddMember", request).await
    };
    let known = add(&other.viewer.email).await.unwrap();
    let unknown = add(&email()).await.unwrap();
    let shape = |it: &Value| {
        let set =
            it.as_object().unwrap().iter().filter(|(_, it)| **it != json!("") && !it.is_null());
        set.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!(known["user_id"], json!(other.viewer.user_id));
    for email in [&other.viewer.email, known["email"].as_str().unwrap()] {
        let again = add(&email.to_uppercase()).await;
        assert_fails(again, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
    }
    // Being added elsewhere changed nothing of the user.
    let get = json!({ "id": other.viewer.user_id });
    let user = other.viewer().call("UserService/GetUser", get).await.unwrap();
    assert_eq!(user["create_time"], user["update_time"]);
}

#[tokio::test]
async fn a_removed_member_loses_its_keys_here_and_stays_elsewhere() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let add = json!({ "email": org.developer.email, "role": "MEMBER_ROLE_VIEWER" });
    other.admin().call("MemberService/AddMember", add).await.unwrap();
    let id = json!({ "user_id": org.developer.user_id });
    org.admin().call("MemberService/RemoveMember", id.clone()).await.unwrap();
    let result = org.developer().call("CoreActionService/ListCoreActions", json!({})).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
    let keys = org.admin().call("ApiKeyService/ListApiKeys", json!({})).await.unwrap();
    assert!(!keys.to_string().contains(&org.developer.key_id), "{keys}");
    other.viewer().call("MemberService/GetMember", id.clone()).await.unwrap();
    let result = org.admin().call("MemberService/RemoveMember", id).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn a_lower_role_holds_for_the_keys_that_there_are() {
    let stack = Stack::builder().without_runtime().set_web("AUTH_CACHE_TTL", "1h").start().await;
    let org = stack.organization().await;
    let list = async || org.admin().call("ApiKeyService/ListApiKeys", json!({})).await;
    list().await.unwrap();
    let down = role(&org.admin.user_id, "VIEWER");
    org.owner().call("MemberService/UpdateMember", down).await.unwrap();
    assert_fails(list().await, Code::PermissionDenied, Reason::RoleTooLow, None);
}

/// A permission opens a method to who is a viewer otherwise, and no other; nobody is made an owner by one.
#[tokio::test]
async fn a_permission_opens_what_it_names() {
    let org = Stack::shared().await.organization().await;
    let note = json!({ "note": { "title": "N" } });
    let folder = json!({ "note_folder": { "name": "F" } });
    let create =
        async |method: &str, request: &Value| org.viewer().call(method, request.clone()).await;
    let permit = async |permissions: Value| {
        let member = json!({ "user_id": org.viewer.user_id, "permissions": permissions });
        let request = json!({ "member": member, "update_mask": ["permissions"] });
        org.admin().call("MemberService/UpdateMember", request).await
    };
    let denied = async |method: &str, request: &Value| {
        let result = create(method, request).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    };
    denied("NoteService/CreateNote", &note).await;
    permit(json!(["NoteService/CreateNote"])).await.unwrap();
    let made = create("NoteService/CreateNote", &note).await.unwrap();
    let delete = json!({ "id": made["id"] });
    denied("NoteService/DeleteNote", &delete).await;
    denied("NoteFolderService/CreateNoteFolder", &folder).await;
    permit(json!(["NoteService/*"])).await.unwrap();
    create("NoteService/DeleteNote", &delete).await.unwrap();
    denied("NoteFolderService/CreateNoteFolder", &folder).await;
    permit(json!([])).await.unwrap();
    denied("NoteService/CreateNote", &note).await;
    for nothing in
        ["NoteService/Burn", "notes", "OrganizationService/DeleteOrganization", "*", "Note/*"]
    {
        let result = permit(json!(["NoteService/*", nothing])).await;
        let field = "member.permissions[1]";
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
}

/// A permission to change members is no way to become more than one is.
#[tokio::test]
async fn whoever_is_permitted_to_change_members_raises_nobody_above_themselves() {
    let org = Stack::shared().await.organization().await;
    org.permit(&org.developer, &["MemberService/*"]).await;
    let permit = |user: &str| {
        let member = json!({ "user_id": user, "permissions": ["NoteService/*"] });
        json!({ "member": member, "update_mask": ["permissions"] })
    };
    let permitted =
        json!({ "email": email(), "role": "MEMBER_ROLE_VIEWER", "permissions": ["NoteService/*"] });
    for (method, request) in [
        ("UpdateMember", role(&org.developer.user_id, "ADMIN")),
        ("UpdateMember", role(&org.viewer.user_id, "ADMIN")),
        ("UpdateMember", role(&org.admin.user_id, "VIEWER")),
        ("UpdateMember", permit(&org.developer.user_id)),
        ("UpdateMember", permit(&org.viewer.user_id)),
        ("RemoveMember", json!({ "user_id": org.admin.user_id })),
        ("AddMember", json!({ "email": email(), "role": "MEMBER_ROLE_ADMIN" })),
        ("AddMember", permitted),
    ] {
        let result = org.developer().call(&format!("MemberService/{method}"), request).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    }
    let add = json!({ "email": email(), "role": "MEMBER_ROLE_DEVELOPER" });
    for (method, request) in [
        ("AddMember", add),
        ("UpdateMember", role(&org.viewer.user_id, "DEVELOPER")),
        ("RemoveMember", json!({ "user_id": org.viewer.user_id })),
    ] {
        org.developer().call(&format!("MemberService/{method}"), request).await.unwrap();
    }
}
