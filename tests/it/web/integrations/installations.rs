//! Installing: what was installed stays as it was until somebody upgrades it.

use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::WorkerId};
use std::time::Duration;
use tonic::{Code, Status};

const CREATE: &str = "CatalogIntegrationService/CreateCatalogIntegration";

async fn offer(org: &Org, more: Value) -> String {
    let mut offer = json!({
        "slug": format!("s{}", WorkerId::generate().0.simple()),
        "name": "Rooms",
        "listed": true,
        "price_credits": "1",
        "scopes": ["read"],
        "config_schema": { "type": "object", "required": ["room"] },
    });
    for (key, value) in more.as_object().unwrap() {
        offer[key] = value.clone();
    }
    made(&org.everywhere(), CREATE, json!({ "catalog_integration": offer })).await
}

async fn install(org: &Org, offer: &str) -> Result<Value, Status> {
    let install = json!({ "catalog_integration_id": offer });
    org.admin().call("InstallationService/InstallIntegration", install).await
}

async fn configure(org: &Org, installation: &Value, config: Value) -> Result<Value, Status> {
    let integration =
        json!({ "installation_id": installation["id"], "name": "Lobby", "config": config });
    let request = json!({ "integration": integration });
    org.admin().call("IntegrationService/CreateIntegration", request).await
}

#[tokio::test]
async fn each_is_installed_once_and_only_if_it_is_listed() {
    let org = Stack::shared().await.organization().await;
    let hidden = offer(&org, json!({ "listed": false })).await;
    let result = install(&org, &hidden).await;
    assert_fails(result, Code::FailedPrecondition, Reason::NotListed, None);
    let offer = offer(&org, json!({})).await;
    install(&org, &offer).await.unwrap();
    let result = install(&org, &offer).await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
}

#[tokio::test]
async fn an_upgrade_says_what_it_changes_before_it_does() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org, json!({})).await;
    let installed = install(&org, &offer).await.unwrap();
    let integration = configure(&org, &installed, json!({ "room": "a" })).await.unwrap();
    let schema = json!({ "type": "object", "required": ["room", "floor"] });
    let change = json!({
        "id": offer, "config_schema": schema, "price_credits": "2.5", "scopes": ["write"],
    });
    let mask = ["config_schema", "price_credits", "scopes"];
    let change = json!({ "catalog_integration": change, "update_mask": mask });
    let method = "CatalogIntegrationService/UpdateCatalogIntegration";
    org.everywhere().call(method, change).await.unwrap();

    let id = json!({ "id": installed["id"] });
    let get = async || {
        org.viewer().call("InstallationService/GetInstallation", id.clone()).await.unwrap()
    };
    assert_eq!(get().await, installed, "the catalogue changes nothing that is installed");
    let preview = "InstallationService/PreviewInstallationUpgrade";
    let shown = org.viewer().call(preview, id.clone()).await.unwrap();
    assert_eq!((&shown["from_version"], &shown["to_version"]), (&json!(1), &json!(2)));
    let prices = (&shown["from_price_credits"], &shown["to_price_credits"]);
    assert_eq!(prices, (&json!("1"), &json!("2.5")));
    assert_eq!(shown["added_scopes"], json!(["write"]));
    assert_eq!(shown["removed_scopes"], json!(["read"]));
    let problem = shown["problems"][0].as_str().unwrap();
    assert!(problem.starts_with("Lobby: ") && problem.contains("floor"), "{problem}");

    let upgrade = async |version: i32| {
        let request = json!({ "id": installed["id"], "to_version": version });
        org.admin().call("InstallationService/UpgradeInstallation", request).await
    };
    assert_fails(upgrade(1).await, Code::FailedPrecondition, Reason::VersionChanged, None);
    assert_fails(upgrade(2).await, Code::FailedPrecondition, Reason::SchemaMismatch, None);
    let config = json!({ "id": integration["id"], "config": { "room": "a", "floor": 2 } });
    let config = json!({ "integration": config, "update_mask": ["config"] });
    org.admin().call("IntegrationService/UpdateIntegration", config).await.unwrap();
    let upgraded = upgrade(2).await.unwrap();
    assert_eq!((&upgraded["version"], &upgraded["price_credits"]), (&json!(2), &json!("2.5")));
    assert_eq!(upgraded["scopes"], json!(["write"]));
}

/// Stands for an upgrade by somebody else, whose transaction is open while a configuration is written.
#[tokio::test]
async fn a_configuration_is_checked_against_what_is_pinned_when_it_is_written() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let offer = offer(&org, json!({})).await;
    let installed = install(&org, &offer).await.unwrap();
    let there = configure(&org, &installed, json!({ "room": "a" })).await.unwrap();
    let superuser = stack.database.superuser();
    let create =
        json!({ "installation_id": installed["id"], "name": "Hall", "config": { "room": "b" } });
    let update = json!({ "id": there["id"], "config": { "room": "b" } });
    for (method, request) in [
        ("CreateIntegration", json!({ "integration": create })),
        ("UpdateIntegration", json!({ "integration": update, "update_mask": ["config"] })),
    ] {
        let mut upgrade = superuser.begin().await.unwrap();
        let pin = "update web.user_installations set config_schema = '{\"required\": [\"floor\"]}'";
        sqlx::query(pin).execute(&mut *upgrade).await.unwrap();
        let admin = org.admin();
        let method = format!("IntegrationService/{method}");
        let (result, ()) = tokio::join!(admin.call(&method, request), async {
            stack.database.until_somebody_waits().await;
            upgrade.commit().await.unwrap();
        });
        assert_fails(result, Code::InvalidArgument, Reason::SchemaMismatch, "integration.config");
        let again = "update web.user_installations set config_schema = '{}'";
        sqlx::query(again).execute(&superuser).await.unwrap();
    }
}

#[tokio::test]
async fn of_two_upgrades_the_older_is_not_the_last_and_a_preview_waits_for_none() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let offer = offer(&org, json!({})).await;
    let installed = install(&org, &offer).await.unwrap();
    configure(&org, &installed, json!({ "room": "a" })).await.unwrap();
    let raise = async |price: &str| {
        let change = json!({ "id": offer, "price_credits": price });
        let change = json!({ "catalog_integration": change, "update_mask": ["price_credits"] });
        let method = "CatalogIntegrationService/UpdateCatalogIntegration";
        org.everywhere().call(method, change).await.unwrap();
    };
    raise("2").await;
    let mut other = stack.database.superuser().begin().await.unwrap();
    for table in ["user_installations", "integrations"] {
        let hold = sqlx::AssertSqlSafe(format!("select 1 from web.{table} for update"));
        sqlx::query(hold).execute(&mut *other).await.unwrap();
    }
    let id = json!({ "id": installed["id"] });
    let preview = "InstallationService/PreviewInstallationUpgrade";
    let viewer = org.viewer();
    let preview = viewer.call(preview, id.clone());
    let preview = tokio::time::timeout(Duration::from_secs(10), preview).await;
    assert_eq!(preview.expect("it waits for nobody").unwrap()["to_version"], 2);

    let upgrade = json!({ "id": installed["id"], "to_version": 2 });
    let admin = org.admin();
    let upgrade = admin.call("InstallationService/UpgradeInstallation", upgrade);
    let (result, ()) = tokio::join!(upgrade, async {
        stack.database.until_somebody_waits().await;
        raise("3").await;
        let pin = "update web.user_installations set version = 3, price_credits = 3";
        sqlx::query(pin).execute(&mut *other).await.unwrap();
        other.commit().await.unwrap();
    });
    assert_fails(result, Code::FailedPrecondition, Reason::VersionChanged, None);
    let pinned = org.viewer().call("InstallationService/GetInstallation", id).await.unwrap();
    assert_eq!(pinned["version"], 3);
}

#[tokio::test]
async fn an_installation_has_a_hundred_integrations_at_most() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let offer = offer(&org, json!({})).await;
    let installed = install(&org, &offer).await.unwrap();
    let fill = "insert into web.integrations (org_id, id, installation_id, name, config)
        select org_id, gen_random_uuid(), id, 'Room ' || n, '{\"room\": \"a\"}'
        from web.user_installations, generate_series(1, 99) as n";
    sqlx::query(fill).execute(&stack.database.superuser()).await.unwrap();
    configure(&org, &installed, json!({ "room": "a" })).await.unwrap();
    let more = json!({ "installation_id": installed["id"], "name": "One more", "config": { "room": "a" } });
    let more = json!({ "integration": more });
    let result = org.admin().call("IntegrationService/CreateIntegration", more).await;
    assert_fails(result, Code::ResourceExhausted, Reason::TooManyIntegrations, None);
}

#[tokio::test]
async fn what_is_used_is_not_taken_away() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org, json!({})).await;
    let installed = install(&org, &offer).await.unwrap();
    let result = configure(&org, &installed, json!({})).await;
    assert_fails(result, Code::InvalidArgument, Reason::SchemaMismatch, "integration.config");
    let integration = configure(&org, &installed, json!({ "room": "a" })).await.unwrap();
    let id = json!({ "id": installed["id"] });
    let uninstall =
        async || org.admin().call("InstallationService/UninstallIntegration", id.clone()).await;
    let result = uninstall().await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
    let gone = json!({ "id": integration["id"] });
    org.admin().call("IntegrationService/DeleteIntegration", gone).await.unwrap();
    uninstall().await.unwrap();
    let offered = json!({ "id": offer });
    let method = "CatalogIntegrationService/DeleteCatalogIntegration";
    install(&org, &offer).await.unwrap();
    let result = org.everywhere().call(method, offered).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
}

#[tokio::test]
async fn the_catalogue_is_searched_by_words_tags_and_category() {
    let stack = Stack::start().await;
    let org = stack.organization().await;
    offer(&org, json!({ "name": "Chess", "description": "a game of kings", "tags": ["board"], "categories": ["games"] })).await;
    offer(&org, json!({ "name": "Draughts", "description": "a game of stones", "tags": ["board", "old"], "categories": ["games"] })).await;
    offer(&org, json!({ "name": "Hidden", "listed": false, "categories": ["games"] })).await;
    let names = async |list: Value| -> Vec<String> {
        let method = "CatalogIntegrationService/ListCatalogIntegrations";
        let list = org.viewer().call(method, list).await.unwrap();
        let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
        list["catalog_integrations"].as_array().into_iter().flatten().map(name).collect()
    };
    assert_eq!(names(json!({ "query": "game" })).await, ["Draughts", "Chess"]);
    assert_eq!(names(json!({ "query": "game kings" })).await, ["Chess"]);
    assert_eq!(names(json!({ "tag": "old" })).await, ["Draughts"]);
    assert_eq!(names(json!({ "category": "games", "listed": true })).await, ["Draughts", "Chess"]);
}
