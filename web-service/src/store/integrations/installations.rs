//! An integration of the catalogue that the organization has installed; version, schema, scopes and price are as they were then.

use crate::{
    configs,
    resource::{Decimal, Object, Pinned, absent_or_changed, in_use, not_found, refused, resource},
    store::integrations::{catalog_integrations::CatalogIntegration, integrations},
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{CatalogIntegrationId, Etag, InstallationId, OrganizationId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// An integration of the catalogue that the organization has installed; version, schema, scopes and price are as they were then.
    Installation in web.user_installations, tenant, statements, hold, plural(installations), verbs(get, list, update) {
        #[given] catalog_integration_id: CatalogIntegrationId,
        #[given] version: i32,
        #[given] config_schema: Object,
        #[given] scopes: Vec<String>,
        #[given] price_credits: Decimal,
        #[given] created_by: Option<UserId>,
    }
    filters {
        catalog_integration_id: CatalogIntegrationId = "catalog_integration_id = ?",
    }
}

/// Installs what the catalogue offers now.
pub async fn install(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: InstallationId,
    offer: &CatalogIntegration,
    user: Option<UserId>,
) -> Result<Installation> {
    if !offer.listed {
        let subject = format!("catalog_integration/{}", offer.id);
        return Err(Error::precondition(Reason::NotListed, subject, "it can not be installed"));
    }
    installation!(
        "insert into web.user_installations
             (org_id, id, catalog_integration_id, version, config_schema, scopes, price_credits, created_by)
         values ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8)
         returning",
        "",
        org.0,
        id.0,
        offer.id.0,
        offer.version,
        &offer.config_schema as &Object,
        &offer.scopes,
        offer.price_credits.0,
        user.map(|it| it.0),
    )
    .fetch_one(conn)
    .await
    .map_err(|error| refused::<Installation>(error, &[]))
}

impl Pinned for Installation {
    type Offer = CatalogIntegration;

    const UPGRADE: &'static str = "UpgradeInstallation";

    fn offer(&self) -> CatalogIntegrationId {
        self.catalog_integration_id
    }

    fn version_of(offer: &CatalogIntegration) -> i32 {
        offer.version
    }

    async fn problems(
        &self,
        conn: &mut PgConnection,
        offer: &CatalogIntegration,
    ) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        for (name, config) in integrations::configs_of(conn, self.org_id, self.id).await? {
            let of_this = configs::problems(&offer.config_schema, &config)?;
            problems.extend(of_this.into_iter().map(|it| format!("{name}: {it}")));
        }
        Ok(problems)
    }

    async fn pin(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: InstallationId,
        offer: &CatalogIntegration,
    ) -> Result<Self> {
        let pinned = installation!(
            "update web.user_installations
             set version = $3, config_schema = $4, scopes = $5, price_credits = $6::text::numeric, etag = gen_random_uuid()
             where org_id = $1 and id = $2
             returning",
            "",
            org.0,
            id.0,
            offer.version,
            &offer.config_schema as &Object,
            &offer.scopes,
            offer.price_credits.0,
        )
        .fetch_optional(conn)
        .await?;
        pinned.ok_or_else(|| not_found::<Self>(id))
    }
}

/// Takes an installation away.
pub async fn uninstall(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: InstallationId,
    etag: Option<Etag>,
) -> Result<()> {
    let gone = sqlx::query!(
        "delete from web.user_installations
         where org_id = $1 and id = $2 and ($3::uuid is null or etag = $3)",
        org.0,
        id.0,
        etag.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await
    .map_err(|error| in_use::<Installation>(error, id))?;
    match gone.rows_affected() {
        0 => Err(absent_or_changed::<Installation>(conn, org, id).await),
        _ => Ok(()),
    }
}
