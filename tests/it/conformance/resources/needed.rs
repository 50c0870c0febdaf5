//! What drafts refer to, made as a careful caller makes it.

use freehold_tests::{client::Caller, stack::Org};
use serde_json::{Value, json};

/// Makes something, and returns its id.
pub(crate) async fn made(caller: &Caller, method: &str, request: Value) -> String {
    let made = caller.call(method, request).await;
    let made = made.unwrap_or_else(|status| panic!("{method} succeeds: {status:?}"));
    made["id"].as_str().expect("it has an id").to_owned()
}

/// A virtual employee for hire.
pub(crate) async fn offer(org: &Org) -> String {
    let slug = format!("v{}", shared_db::ids::WorkerId::generate().0.simple());
    let employee =
        json!({ "slug": slug, "name": "Ada", "listed": true, "price_usd_monthly": "49" });
    let method = "VirtualEmployeeService/CreateVirtualEmployee";
    made(&org.everywhere(), method, json!({ "virtual_employee": employee })).await
}

/// An installation of an integration whose configuration names a room.
pub(crate) async fn installed(org: &Org) -> String {
    let schema = json!({ "type": "object", "required": ["room"] });
    let slug = format!("s{}", shared_db::ids::WorkerId::generate().0.simple());
    let offer = json!({ "slug": slug, "name": "Rooms", "listed": true, "config_schema": schema });
    let method = "CatalogIntegrationService/CreateCatalogIntegration";
    let offer = made(&org.everywhere(), method, json!({ "catalog_integration": offer })).await;
    let install = json!({ "catalog_integration_id": offer });
    made(&org.admin(), "InstallationService/InstallIntegration", install).await
}

/// A tier to subscribe to.
pub(crate) async fn tier(org: &Org, name: &str) -> String {
    let slug = format!("t{}", shared_db::ids::WorkerId::generate().0.simple());
    let tier = json!({ "subscription_tier": { "slug": slug, "name": name, "listed": true } });
    made(&org.everywhere(), "SubscriptionTierService/CreateSubscriptionTier", tier).await
}

/// A portfolio of the caller's own.
pub(crate) async fn portfolio(by: &Caller) -> String {
    let portfolio = json!({ "portfolio": { "name": "P", "currency": "EUR" } });
    made(by, "PortfolioService/CreatePortfolio", portfolio).await
}

/// The number at the end of the name of a draft.
pub(crate) fn number(name: &str) -> usize {
    name.rsplit('-').next().and_then(|it| it.parse().ok()).unwrap_or(0)
}
