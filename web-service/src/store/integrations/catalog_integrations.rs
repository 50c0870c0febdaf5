//! An integration that organizations can install: the same for all of them.

use crate::{
    configs::schema_rules,
    resource::{Decimal, Object, resource},
    store::enums::IntegrationAuth,
};
use shared_db::ids::{CatalogIntegrationId, PlatformId};

resource! {
    /// An integration that organizations can install: the same for all of them.
    CatalogIntegration in web.integration_catalog, global, rules, plural(catalog_integrations) {
        #[fixed] slug: String,
        name: String,
        description: Option<String>,
        platform_id: Option<PlatformId>,
        auth: IntegrationAuth,
        scopes: Vec<String>,
        config_schema: Object,
        price_credits: Decimal,
        tags: Vec<String>,
        categories: Vec<String>,
        listed: bool,
        #[counter] version: i32,
    }
    filters {
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
        tag: String = "tags @> array[?]",
        category: String = "categories @> array[?]",
        platform_id: PlatformId = "platform_id = ?",
        auth: IntegrationAuth = "auth = ?",
        listed: bool = "listed = ?",
    }
}

schema_rules!(CatalogIntegration);
