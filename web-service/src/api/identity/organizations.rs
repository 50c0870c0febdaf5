//! `OrganizationService`.

mod settings;

use crate::{
    api::request::{self, list_id},
    app::{self, App, change::Change},
    store::identity::organizations::{
        self, NewOrganization, Organization, OrganizationPatch, Whose,
    },
};
use shared_db::{
    error::Error,
    ids::{Etag, OrganizationId},
    json,
    scope::Scope,
    service::{Caller, Mask, accept},
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, organization_service_server};

pub struct OrganizationService {
    pub app: App,
}

#[tonic::async_trait]
impl organization_service_server::OrganizationService for OrganizationService {
    async fn get_organization(
        &self,
        request: Request<pb::GetOrganizationRequest>,
    ) -> Result<Response<pb::Organization>> {
        let (caller, request) = accept(request)?;
        let (scope, org) = own(&caller, request::id("id", &request.id)?)?;
        let mut tx = self.app.db.begin(scope).await?;
        let organization = organizations::get(&mut tx, org).await?;
        Ok(Response::new(organization.into()))
    }

    async fn list_organizations(
        &self,
        request: Request<pb::ListOrganizationsRequest>,
    ) -> Result<Response<pb::ListOrganizationsResponse>> {
        let (caller, request) = accept(request)?;
        let list = list_id(&caller, "organizations", &[]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let (scope, whose) = whose(&caller)?;
        let mut tx = self.app.db.begin_search(scope).await?;
        let page = organizations::list(&mut tx, whose, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListOrganizationsResponse {
            organizations: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_organization(
        &self,
        request: Request<pb::CreateOrganizationRequest>,
    ) -> Result<Response<pb::Organization>> {
        let (caller, request) = accept(request)?;
        let owner = request::id_if_any("owner_user_id", &request.owner_user_id)?;
        let organization = request::required("organization", request.organization)?;
        let new = NewOrganization {
            slug: organization.slug,
            name: organization.name,
            description: organization.description,
            url: organization.url,
            settings: settings::check(organization.settings)?,
            created_by: caller.user,
        };
        let organization = app::organizations::create(&self.app, &caller, new, owner).await?;
        Ok(Response::new(organization.into()))
    }

    async fn update_organization(
        &self,
        request: Request<pb::UpdateOrganizationRequest>,
    ) -> Result<Response<pb::Organization>> {
        let (caller, request) = accept(request)?;
        let organization = request::required("organization", request.organization)?;
        let (_, org) = own(&caller, request::id("organization.id", &organization.id)?)?;
        let mask = Mask::new::<pb::Organization>(request.update_mask)?;
        let etag = Etag::expected(&organization.etag);
        let settings = mask.pick("settings", organization.settings);
        let patch = OrganizationPatch {
            name: mask.pick("name", organization.name),
            description: mask.pick("description", organization.description),
            url: mask.pick("url", organization.url),
            settings: settings.map(settings::check).transpose()?,
        };
        let organization = Change::new(&caller, "UpdateOrganization", org)
            .fields(mask.fields())
            .in_trail_of(org)
            .apply(&self.app.db, async |tx| organizations::update(tx, org, etag, patch).await)
            .await?;
        Ok(Response::new(organization.into()))
    }

    async fn delete_organization(
        &self,
        request: Request<pb::DeleteOrganizationRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let (_, org) = own(&caller, request::id("id", &request.id)?)?;
        let etag = Etag::expected(&request.etag);
        app::organizations::delete(&self.app, &caller, org, etag).await?;
        Ok(Response::new(()))
    }

    async fn purge_organization(
        &self,
        request: Request<pb::PurgeOrganizationRequest>,
    ) -> Result<Response<pb::Purge>> {
        let (caller, request) = accept(request)?;
        let (_, org) = own(&caller, request::id("id", &request.id)?)?;
        let slug = &request.confirm_slug;
        let purge = app::purges::organization(&self.app, &caller, org, slug).await?;
        Ok(Response::new(purge.into()))
    }
}

/// The caller's own organization; any other is not there for it. The platform may name one without acting in it.
fn own(caller: &Caller, id: OrganizationId) -> Result<(Scope, OrganizationId), Error> {
    match caller.org {
        None if caller.is_platform() => Ok((Scope::Tenant(id, None), id)),
        Some(org) if org == id => Ok((caller.scope()?, id)),
        _ => Err(Error::not_found("organization", id)),
    }
}

/// The organizations that the caller may act in, and the scope that shows them.
fn whose(caller: &Caller) -> Result<(Scope, Whose), Error> {
    match (caller.api_key, caller.user) {
        _ if caller.is_platform() => Ok((Scope::Platform, Whose::Everyone)),
        (None, Some(user)) => Ok((Scope::Platform, Whose::Members(user))),
        _ => Ok((caller.scope()?, Whose::Own(caller.org()?))),
    }
}

impl From<Organization> for pb::Organization {
    fn from(it: Organization) -> Self {
        Self {
            id: it.id.to_string(),
            slug: it.slug,
            name: it.name,
            description: it.description,
            url: it.url,
            settings: json::to_struct(it.settings),
            subscription_info: it.subscription_info.and_then(json::to_struct),
            created_by: it.created_by.map(|it| it.to_string()).unwrap_or_default(),
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            etag: it.etag.to_string(),
        }
    }
}
