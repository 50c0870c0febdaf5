//! What can be connected, and what is.

use super::needed::{installed, made, number};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::ids::WorkerId;

/// More than any law makes.
const OFFERS: usize = 60;

pub(crate) struct CatalogIntegrations;

impl Resource for CatalogIntegrations {
    const KIND: &'static str = "CatalogIntegration";
    const PLURAL: &'static str = "CatalogIntegrations";
    const TENANT: bool = false;

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    async fn prepare(stack: &Stack, org: &Org) -> Value {
        json!({
            "platform": stack.platform_named(&format!("{}-catalogue", org.slug)).await,
        })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Some text",
            "description": "Some text",
            "platform_id": given["platform"],
            "auth": "INTEGRATION_AUTH_NONE",
            "scopes": ["one", "two"],
            "config_schema": { "type": "object" },
            "price_credits": "12.5",
            "tags": ["one", "two"],
            "categories": ["one", "two"],
            "listed": true,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "name": "Other text",
            "description": "Other text",
            "platform_id": given["platform"],
            "auth": "INTEGRATION_AUTH_API_KEY",
            "scopes": ["three"],
            "config_schema": { "type": "object", "required": ["room"] },
            "price_credits": "0.000001",
            "tags": ["three"],
            "categories": ["three"],
            "listed": false,
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(json!({ "category": "one" }), json!({}), json!({ "categories": ["two"] })),
            sieve(json!({ "listed": true }), json!({}), json!({ "listed": false })),
            sieve(json!({ "listed": false }), json!({ "listed": false }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "name": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "description": "A needle" }), json!({})),
            sieve(
                json!({ "platform_id": given["platform"] }),
                json!({}),
                json!({ "platform_id": null }),
            ),
            sieve(
                json!({ "auth": "INTEGRATION_AUTH_API_KEY" }),
                json!({ "auth": "INTEGRATION_AUTH_API_KEY" }),
                json!({}),
            ),
        ]
    }
}

pub(crate) struct Installations;

impl Resource for Installations {
    const KIND: &'static str = "Installation";
    const PLURAL: &'static str = "Installations";

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn creator() -> String {
        "InstallationService/InstallIntegration".to_owned()
    }

    /// An organization installs each once.
    async fn prepare(_: &Stack, org: &Org) -> Value {
        let mut offers = Vec::new();
        for _ in 0..OFFERS {
            let name = format!("o{}", WorkerId::generate().0.simple());
            let offer = json!({ "slug": name, "name": name, "listed": true });
            let offer = json!({ "catalog_integration": offer });
            let method = "CatalogIntegrationService/CreateCatalogIntegration";
            offers.push(made(&org.everywhere(), method, offer).await);
        }
        json!({ "offers": offers })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({ "catalog_integration_id": given["offers"][number(name) % OFFERS] })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "catalog_integration_id": given["offers"][1] }),
            json!({ "catalog_integration_id": given["offers"][1] }),
            json!({ "catalog_integration_id": given["offers"][0] }),
        )]
    }
}

pub(crate) struct Integrations;

impl Resource for Integrations {
    const KIND: &'static str = "Integration";
    const PLURAL: &'static str = "Integrations";

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "installation": installed(org).await,
            "other_installation": installed(org).await,
        })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "installation_id": given["installation"],
            "name": name,
            "config": { "room": "a" },
            "enabled": true,
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Renamed",
            "config": { "room": "b" },
            "enabled": false,
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "installation_id": given["installation"] }),
                json!({}),
                json!({ "installation_id": given["other_installation"] }),
            ),
            sieve(json!({ "enabled": true }), json!({}), json!({ "enabled": false })),
            sieve(json!({ "enabled": false }), json!({ "enabled": false }), json!({})),
        ]
    }
}
