//! Installing integrations, and taking them away.

use crate::{
    app::{
        App,
        change::{Change, Subject},
        once::{Asked, once},
    },
    resource::{Everyone, Get, Resource},
    store::integrations::{
        catalog_integrations::CatalogIntegration,
        installations::{self, Installation},
    },
};
use shared_db::{
    error::Result,
    ids::{CatalogIntegrationId, Etag, InstallationId},
    service::Caller,
};

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
    let subject = Subject { kind: Installation::KIND, id: id.0 };
    Change::new(caller, "UninstallIntegration", subject)
        .apply(&app.db, async |tx| installations::uninstall(tx, org, id, etag).await)
        .await
}
