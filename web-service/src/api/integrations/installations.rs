//! `InstallationService`.

use crate::{
    api::request,
    app::{
        integrations,
        once::Asked,
        upgrades::{self, Upgrade},
    },
    resource::{Column, Resource, service},
    store::integrations::installations::Installation,
};
use shared_db::{ids::Etag, service::accept};
use tonic::{Request, Response, Result};
use web_api::v1 as pb;

service! {
    Installation of installations, get, list {
        async fn install_integration(
            &self,
            request: Request<pb::InstallIntegrationRequest>,
        ) -> Result<Response<pb::Installation>> {
            let (caller, mut request) = accept(request)?;
            let request_id = std::mem::take(&mut request.request_id);
            let asked = Asked::new("InstallIntegration", request_id, &request);
            let what = request::id("catalog_integration_id", &request.catalog_integration_id)?;
            Ok(Response::new(integrations::install(&self.app, &caller, &asked, what).await?))
        }

        async fn uninstall_integration(
            &self,
            request: Request<pb::UninstallIntegrationRequest>,
        ) -> Result<Response<()>> {
            let (caller, request) = accept(request)?;
            let id = request::id("id", &request.id)?;
            let etag = Etag::expected(&request.etag);
            integrations::uninstall(&self.app, &caller, id, etag).await?;
            Ok(Response::new(()))
        }

        async fn preview_installation_upgrade(
            &self,
            request: Request<pb::PreviewInstallationUpgradeRequest>,
        ) -> Result<Response<pb::InstallationUpgrade>> {
            let (caller, request) = accept(request)?;
            let id = request::id("id", &request.id)?;
            let Upgrade::<Installation> { pinned, offer, problems } =
                upgrades::preview(&self.app, &caller, id).await?;
            let not_in = |these: &[String], those: &[String]| {
                these.iter().filter(|it| !those.contains(it)).cloned().collect()
            };
            Ok(Response::new(pb::InstallationUpgrade {
                from_version: pinned.version,
                to_version: offer.version,
                from_price_credits: pinned.price_credits.0,
                to_price_credits: offer.price_credits.0,
                added_scopes: not_in(&offer.scopes, &pinned.scopes),
                removed_scopes: not_in(&pinned.scopes, &offer.scopes),
                from_config_schema: Some(pinned.config_schema.into_wire()),
                to_config_schema: Some(offer.config_schema.into_wire()),
                problems,
            }))
        }

        async fn upgrade_installation(
            &self,
            request: Request<pb::UpgradeInstallationRequest>,
        ) -> Result<Response<pb::Installation>> {
            let (caller, request) = accept(request)?;
            let id = request::id("id", &request.id)?;
            let upgraded: Installation =
                upgrades::upgrade(&self.app, &caller, id, request.to_version).await?;
            Ok(Response::new(upgraded.into_wire()?))
        }
    }
}
