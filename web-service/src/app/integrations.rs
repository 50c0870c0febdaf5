//! Installing, and what an upgrade of an installation would change.

use crate::{
    app::{
        App,
        change::{Change, Subject},
        marketplace::may_upgrade,
        once::{Asked, once},
    },
    configs,
    resource::{Everyone, Get, Resource},
    store::integrations::{
        catalog_integrations::CatalogIntegration,
        installations::{self, Installation},
        integrations,
    },
};
use shared_db::{
    error::Result,
    ids::{CatalogIntegrationId, Etag, InstallationId},
    service::Caller,
};
use sqlx::PgConnection;

/// What is pinned, what is offered, and which configurations would not fit.
#[derive(Debug)]
pub struct Upgrade {
    pub pinned: Installation,
    pub offer: CatalogIntegration,
    pub problems: Vec<String>,
}

pub async fn install(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    what: CatalogIntegrationId,
) -> Result<<Installation as Resource>::Wire> {
    let (org, id) = (caller.org()?, InstallationId::generate());
    once(app, caller, asked, id, async |tx| {
        let offer = CatalogIntegration::get(tx, Everyone, what).await?;
        installations::install(tx, org, id, &offer, caller.user).await
    })
    .await
}

pub async fn uninstall(
    app: &App,
    caller: &Caller,
    id: InstallationId,
    etag: Option<Etag>,
) -> Result<()> {
    let org = caller.org()?;
    Change::new(caller, "UninstallIntegration", subject(id))
        .apply(&app.db, async |tx| installations::uninstall(tx, org, id, etag).await)
        .await
}

pub async fn preview(app: &App, caller: &Caller, id: InstallationId) -> Result<Upgrade> {
    let mut tx = app.db.begin(caller.scope()?).await?;
    let pinned = Installation::get(&mut tx, caller.org()?, id).await?;
    look(&mut tx, pinned).await
}

/// What is offered is read after what is pinned: of two who hold that one after the other, the second sees no older offer.
async fn look(conn: &mut PgConnection, pinned: Installation) -> Result<Upgrade> {
    let offer = CatalogIntegration::get(conn, Everyone, pinned.catalog_integration_id).await?;
    let mut problems = Vec::new();
    for (name, config) in integrations::configs_of(conn, pinned.org_id, pinned.id).await? {
        let of_this = configs::problems(&offer.config_schema, &config)?;
        problems.extend(of_this.into_iter().map(|it| format!("{name}: {it}")));
    }
    Ok(Upgrade { pinned, offer, problems })
}

/// Pins what is offered, if it is the version that the caller has seen and every configuration fits it.
pub async fn upgrade(
    app: &App,
    caller: &Caller,
    id: InstallationId,
    to_version: i32,
) -> Result<Installation> {
    let org = caller.org()?;
    Change::new(caller, "UpgradeInstallation", subject(id))
        .apply(&app.db, async |tx| {
            let pinned = installations::hold(tx, org, id).await?;
            let upgrade = look(tx, pinned).await?;
            let place = format!("installation/{id}");
            may_upgrade(place, upgrade.offer.version, to_version, &upgrade.problems)?;
            installations::pin(tx, org, id, &upgrade.offer).await
        })
        .await
}

fn subject(id: InstallationId) -> Subject {
    Subject { kind: "installation", id: id.0 }
}
