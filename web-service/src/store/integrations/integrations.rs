//! An installed integration as it is configured for use.

use crate::{
    configs,
    resource::{Get, Object, Rules, resource},
    store::integrations::installations::Installation,
};
use shared_db::{
    error::Result,
    ids::{InstallationId, IntegrationId, OrganizationId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// An installed integration as it is configured for use.
    Integration in web.integrations, tenant, rules {
        #[fixed] installation_id: InstallationId,
        name: String,
        config: Object,
        enabled: bool,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        installation_id: InstallationId = "installation_id = ?",
        enabled: bool = "enabled = ?",
    }
}

impl Rules for Integration {
    async fn creating(
        conn: &mut PgConnection,
        org: OrganizationId,
        new: &mut NewIntegration,
    ) -> Result<()> {
        fits(conn, org, new.installation_id, &new.config).await
    }

    async fn updating(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: IntegrationId,
        patch: &mut IntegrationPatch,
    ) -> Result<()> {
        let Some(config) = &patch.config else { return Ok(()) };
        let integration = Integration::get(conn, org, id).await?;
        fits(conn, org, integration.installation_id, config).await
    }
}

/// Whether a configuration fits the schema that its installation has pinned.
async fn fits(
    conn: &mut PgConnection,
    org: OrganizationId,
    installation: InstallationId,
    config: &Object,
) -> Result<()> {
    let installation = Installation::get(conn, org, installation).await?;
    configs::check_config("integration.config", &installation.config_schema, config)
}

/// The configurations that use an installation, with their names.
pub async fn configs_of(
    conn: &mut PgConnection,
    org: OrganizationId,
    installation: InstallationId,
) -> Result<Vec<(String, Object)>> {
    let rows = sqlx::query!(
        r#"select name, config as "config: Object"
         from web.integrations
         where org_id = $1 and installation_id = $2
         order by created_at, id
         for update"#,
        org.0,
        installation.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.name, it.config)).collect())
}
