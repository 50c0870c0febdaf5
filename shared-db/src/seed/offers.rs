//! What is on offer from the beginning, from `seed.toml`. What is there already, under its slug, stays as it is.

use crate::ids::{
    CatalogIntegrationId, CoreActionId, CreditPriceId, OrganizationId, PlatformId,
    SubscriptionTierId,
};
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::BTreeMap;

const SOURCE: &str = include_str!("../../seed.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offers {
    connectors: Vec<Connector>,
    tiers: Vec<Tier>,
    prices: Vec<Price>,
    actions: Vec<Action>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connector {
    slug: String,
    name: String,
    description: String,
    url: String,
    auth: Option<String>,
    scopes: Vec<String>,
    categories: Vec<String>,
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    slug: String,
    name: String,
    monthly_credits: Option<String>,
    concurrent_runs_max: Option<i32>,
    price_usd_monthly: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    operation: String,
    unit: String,
    credits: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    slug: String,
    name: String,
    description: String,
    kind: Option<String>,
    /// The slug of a connector.
    platform: Option<String>,
    risk: String,
    side_effect: String,
    scopes: Vec<String>,
    price_credits: String,
    config: Value,
    input_schema: Value,
    output_schema: Value,
}

impl Offers {
    pub(super) fn read() -> Result<Self> {
        toml::from_str(SOURCE).context("seed.toml")
    }

    pub(super) async fn apply(&self, conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
        let mut platforms = BTreeMap::new();
        for it in &self.connectors {
            let platform = it.platform(conn).await?;
            it.integration(conn, platform).await?;
            platforms.insert(it.slug.as_str(), platform);
        }
        for (position, it) in (0..).zip(&self.tiers) {
            it.apply(conn, position).await?;
        }
        for it in &self.prices {
            it.apply(conn).await?;
        }
        for it in &self.actions {
            let platform = it.platform.as_deref().map(|slug| {
                let unknown = || format!("seed.toml: {} is on no connector {slug}", it.slug);
                platforms.get(slug).copied().with_context(unknown)
            });
            it.apply(conn, org, platform.transpose()?).await?;
        }
        Ok(())
    }
}

impl Connector {
    async fn platform(&self, conn: &mut PgConnection) -> Result<PlatformId> {
        sqlx::query!(
            "insert into web.app_platforms (id, slug, name, description, url)
             values ($1, $2, $3, $4, $5)
             on conflict (slug) do nothing",
            PlatformId::generate().0,
            self.slug,
            self.name,
            self.description,
            self.url,
        )
        .execute(&mut *conn)
        .await?;
        Ok(sqlx::query_scalar!("select id from web.app_platforms where slug = $1", self.slug)
            .fetch_one(conn)
            .await?)
    }

    async fn integration(&self, conn: &mut PgConnection, platform: PlatformId) -> Result<()> {
        let auth = self.auth.as_deref().unwrap_or("oauth2");
        sqlx::query!(
            "insert into web.integration_catalog
                 (id, slug, name, description, platform_id, auth, scopes, config_schema, price_credits, tags, categories, listed)
             values ($1, $2, $3, $4, $5, $6::text::web.integration_auth, $7, '{\"type\": \"object\"}', 1, $8, $9, true)
             on conflict (slug) do nothing",
            CatalogIntegrationId::generate().0,
            self.slug,
            self.name,
            self.description,
            platform.0,
            auth,
            &self.scopes,
            &self.tags,
            &self.categories,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

impl Tier {
    async fn apply(&self, conn: &mut PgConnection, position: i32) -> Result<()> {
        sqlx::query!(
            "insert into web.subscription_tiers
                 (id, slug, name, monthly_credits, concurrent_runs_max, price_usd_monthly, position, listed)
             values ($1, $2, $3, $4::text::numeric, $5, $6::text::numeric, $7, true)
             on conflict (slug) do nothing",
            SubscriptionTierId::generate().0,
            self.slug,
            self.name,
            self.monthly_credits,
            self.concurrent_runs_max,
            self.price_usd_monthly,
            position,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

impl Price {
    /// A price is set once; whoever changed it since has made a later version.
    async fn apply(&self, conn: &mut PgConnection) -> Result<()> {
        sqlx::query!(
            "insert into web.credit_prices (id, operation, unit, credits, version, effective_at)
             values ($1, $2, $3, $4::text::numeric, 1, now())
             on conflict (operation, version) do nothing",
            CreditPriceId::generate().0,
            self.operation,
            self.unit,
            self.credits,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

impl Action {
    async fn apply(
        &self,
        conn: &mut PgConnection,
        org: OrganizationId,
        platform: Option<PlatformId>,
    ) -> Result<()> {
        sqlx::query!(
            "insert into web.core_actions
                 (org_id, id, slug, name, description, platform_id, kind, config, risk, side_effect, scopes, price_credits,
                  input_schema, output_schema)
             values ($1, $2, $3, $4, $5, $6, $14::text::web.action_kind, $7, $8::text::web.risk_level, $9::text::web.side_effect, $10, $11::text::numeric,
                 $12, $13)
             on conflict (org_id, slug) do nothing",
            org.0,
            CoreActionId::generate().0,
            self.slug,
            self.name,
            self.description,
            platform.map(|it| it.0),
            self.config,
            self.risk,
            self.side_effect,
            &self.scopes,
            self.price_credits,
            self.input_schema,
            self.output_schema,
            self.kind.as_deref().unwrap_or("http"),
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_what_was_promised() {
        let offers = Offers::read().unwrap();
        let counts = (
            offers.connectors.len(),
            offers.tiers.len(),
            offers.prices.len(),
            offers.actions.len(),
        );
        assert_eq!(counts, (9, 4, 13, 12));
    }
}
