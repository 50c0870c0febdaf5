//! An installed integration as it is configured for use.

use crate::{
    configs,
    resource::{Get, Hold, Object, Rules, resource},
    store::integrations::installations::Installation,
};
use shared_db::{
    error::{Error, Reason, Result},
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
        let installation = Installation::hold(conn, org, new.installation_id).await?;
        must_have_room(conn, org, installation.id).await?;
        fits(&installation, &new.config)
    }

    async fn updating(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: IntegrationId,
        patch: &mut IntegrationPatch,
    ) -> Result<()> {
        let Some(config) = &patch.config else { return Ok(()) };
        let integration = Integration::get(conn, org, id).await?;
        let installation = Installation::hold(conn, org, integration.installation_id).await?;
        fits(&installation, config)
    }
}

/// Integrations of one installation: an upgrade looks at all of them at once.
const INTEGRATIONS_MAX: i64 = 100;

async fn must_have_room(
    conn: &mut PgConnection,
    org: OrganizationId,
    installation: InstallationId,
) -> Result<()> {
    let full = sqlx::query_scalar!(
        r#"select count(*) >= $3 as "full!"
         from web.integrations
         where org_id = $1 and installation_id = $2"#,
        org.0,
        installation.0,
        INTEGRATIONS_MAX,
    )
    .fetch_one(conn)
    .await?;
    if full {
        let problem = format!("an installation has at most {INTEGRATIONS_MAX} integrations");
        return Err(Error::Exhausted { reason: Reason::TooManyIntegrations, problem });
    }
    Ok(())
}

/// Whether a configuration fits the schema that its installation has pinned.
fn fits(installation: &Installation, config: &Object) -> Result<()> {
    configs::check_config("integration.config", &installation.config_schema, config)
}

/// The configurations that use an installation, with their names. Whoever holds the installation keeps them as they are.
pub async fn configs_of(
    conn: &mut PgConnection,
    org: OrganizationId,
    installation: InstallationId,
) -> Result<Vec<(String, Object)>> {
    let rows = sqlx::query!(
        r#"select name, config as "config: Object"
         from web.integrations
         where org_id = $1 and installation_id = $2
         order by created_at, id"#,
        org.0,
        installation.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.name, it.config)).collect())
}
