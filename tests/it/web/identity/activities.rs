//! The audit trail: one line for each change, none for what failed.

mod methods;

use freehold_tests::{
    database::TestDatabase,
    process::{Layout, Processes},
    settings::Settings,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn of(org: &Org, resource: &Value) -> Vec<Value> {
    let request = json!({ "resource_id": resource });
    let list = org.admin().call("ActivityService/ListActivities", request).await.unwrap();
    list["activities"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_change_says_who_did_what_to_which_fields() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let action = json!(org.action("https://example.test/").await);
    let update = json!({
        "core_action": { "id": action, "name": "Other", "disabled": true },
        "update_mask": ["name", "disabled"],
    });
    org.developer().call("CoreActionService/UpdateCoreAction", update).await.unwrap();
    let delete = json!({ "id": action });
    org.developer().call("CoreActionService/DeleteCoreAction", delete).await.unwrap();
    let trail = of(&org, &action).await;
    let actions: Vec<_> = trail.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["DeleteCoreAction", "UpdateCoreAction", "CreateCoreAction"]);
    assert_eq!(trail[1]["fields"], json!(["name", "disabled"]));
    for it in &trail {
        assert_eq!(it["resource_type"], "core_action");
        assert_eq!(it["actor_user_id"], json!(org.developer.user_id));
        assert_eq!(it["actor_api_key_id"], json!(org.developer.key_id));
        assert_eq!(it["organization_id"], json!(org.id));
    }
}

#[tokio::test]
async fn a_line_belongs_to_the_callers_trace() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let developer = org.developer();
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let traced = developer.identity.clone().with("traceparent", &traceparent);
    let http = json!({ "method": "GET", "url": "https://example.test/" });
    let action = json!({ "core_action": { "slug": "traced", "name": "Traced", "http": http } });
    let traced = developer.with_identity(traced);
    let made = traced.call("CoreActionService/CreateCoreAction", action).await.unwrap();
    let trail = of(&org, &made["id"]).await;
    assert_eq!(trail[0]["trace_id"], trace);
    // One that comes without is given one.
    let made = json!(org.action("https://example.test/").await);
    let given = of(&org, &made).await[0]["trace_id"].as_str().unwrap().to_owned();
    assert!(given.len() == 32 && given != trace, "{given}");
}

#[tokio::test]
async fn what_failed_leaves_no_line() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let action = json!(org.action("https://example.test/").await);
    let stale = json!({
        "core_action": { "id": action, "name": "Other", "etag": "0".repeat(32) },
        "update_mask": ["name"],
    });
    org.developer().call("CoreActionService/UpdateCoreAction", stale).await.unwrap_err();
    let up = json!({
        "member": { "user_id": org.viewer.user_id, "role": "MEMBER_ROLE_OWNER" },
        "update_mask": ["role"],
    });
    org.admin().call("MemberService/UpdateMember", up).await.unwrap_err();
    assert_eq!(of(&org, &action).await.len(), 1);
    let trail = of(&org, &json!(org.viewer.user_id)).await;
    assert!(trail.iter().all(|it| it["action"] == "AddMember"), "{trail:?}");
}

#[tokio::test]
async fn the_trail_is_for_admins_of_the_organization() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    org.developer().call("ActivityService/ListActivities", json!({})).await.unwrap_err();
    let list = other.owner().call("ActivityService/ListActivities", json!({})).await.unwrap();
    assert!(!list.to_string().contains(&org.id));
    let mine = org.admin().call("ActivityService/ListActivities", json!({})).await.unwrap();
    let id = json!({ "id": mine["activities"][0]["id"] });
    let result = other.owner().call("ActivityService/GetActivity", id.clone()).await;
    assert_eq!(result.unwrap_err().code(), tonic::Code::NotFound);
    org.admin().call("ActivityService/GetActivity", id).await.unwrap();
}

#[tokio::test]
async fn filters_narrow_the_trail() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let action = org.action("https://example.test/").await;
    let note = json!({ "note": { "title": "A" } });
    let note = org.developer().call("NoteService/CreateNote", note).await.unwrap();
    let note = note["id"].as_str().unwrap();
    for (filter, expected) in [
        (json!({ "resource_type": "core_action" }), vec![action.as_str()]),
        (json!({ "resource_id": note }), vec![note]),
        (json!({ "action": "CreateNote" }), vec![note]),
        (json!({ "action": "CreateNote", "resource_type": "core_action" }), vec![]),
        (json!({ "actor_user_id": org.developer.user_id }), vec![note, action.as_str()]),
    ] {
        let list = org.admin().call("ActivityService/ListActivities", filter.clone()).await;
        let list = list.unwrap()["activities"].take();
        let found = list.as_array().unwrap().iter().map(|it| it["resource_id"].as_str().unwrap());
        assert_eq!(found.collect::<Vec<_>>(), expected, "{filter}");
    }
    let other = json!({ "resource_type": "core_action' or '1'='1" });
    let list = org.admin().call("ActivityService/ListActivities", other).await.unwrap();
    assert_eq!(list["activities"], json!([]));
}

#[tokio::test]
async fn an_organization_reads_of_what_the_platform_did_to_its_members() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let id = json!({ "id": org.viewer.user_id });
    stack.platform().call("UserService/DeactivateUser", id.clone()).await.unwrap();
    stack.platform().call("UserService/ReactivateUser", id).await.unwrap();
    let trail = of(&org, &json!(org.viewer.user_id)).await;
    let actions: Vec<_> = trail.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["ReactivateUser", "DeactivateUser", "AddMember"]);
    assert_eq!(trail[0]["actor_user_id"], "");
}

/// What belongs to nobody's trail is in the log: once it is committed, and not if that fails.
#[tokio::test]
async fn the_log_tells_of_what_the_platform_has_changed_and_of_nothing_else() {
    let layout = Layout { webs: 1, ..Layout::default() };
    let database = TestDatabase::create().await;
    let settings = Settings { web: vec![("LOG_LEVEL", "info".to_owned())], ..Settings::default() };
    let all = Processes::start_on(database, &layout, &settings).await;
    let create = async |slug: &str| {
        let request = json!({ "platform": { "slug": slug, "name": slug } });
        all.platform().call("PlatformService/CreatePlatform", request).await
    };
    let told = || {
        let log = all.webs[0].log();
        log.lines().filter(|it| it.contains("CreatePlatform") && it.contains("changed")).count()
    };
    create("kept").await.unwrap();
    let give_up = Instant::now() + Duration::from_secs(10);
    while told() == 0 && Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told(), 1, "{}", all.webs[0].log());
    // It fails at the very end.
    let refuse = "
        create function web.refuse() returns trigger language plpgsql as $$ begin raise 'not today'; end $$;
        create constraint trigger refused after insert on web.app_platforms deferrable initially deferred
            for each row execute function web.refuse()";
    sqlx::raw_sql(refuse).execute(&all.database.superuser()).await.unwrap();
    create("refused").await.unwrap_err();
    assert_eq!(told(), 1, "{}", all.webs[0].log());
}
