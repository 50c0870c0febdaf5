//! An integration that organizations can install: the same for all of them.

use crate::{
    configs,
    resource::{Decimal, Everyone, Object, Rules, resource},
    store::enums::IntegrationAuth,
};
use shared_db::{
    error::Result,
    ids::{CatalogIntegrationId, PlatformId},
};
use sqlx::PgConnection;

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

impl Rules for CatalogIntegration {
    async fn creating(
        _: &mut PgConnection,
        _: Everyone,
        new: &mut NewCatalogIntegration,
    ) -> Result<()> {
        configs::check_schema("catalog_integration.config_schema", &new.config_schema)
    }

    async fn updating(
        _: &mut PgConnection,
        _: Everyone,
        _: CatalogIntegrationId,
        patch: &mut CatalogIntegrationPatch,
    ) -> Result<()> {
        let Some(schema) = &patch.config_schema else { return Ok(()) };
        configs::check_schema("catalog_integration.config_schema", schema)
    }
}
