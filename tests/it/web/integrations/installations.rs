//! Installing: what was installed stays as it was until somebody upgrades it.

use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::WorkerId};
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
        "id": offer, "config_schema": schema, "price_credits": "2.5", "scopes": ["read", "write"],
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
    assert_eq!(upgraded["scopes"], json!(["read", "write"]));
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
