//! `PlatformService`.

use crate::{
    api::request::{self, list_id},
    app::{App, change::Change, view},
    store::actions::platforms::{self, NewPlatform, Platform, PlatformPatch},
};
use shared_db::{
    ids::{Etag, PlatformId},
    service::{Mask, accept},
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, platform_service_server};

pub struct PlatformService {
    pub app: App,
}

#[tonic::async_trait]
impl platform_service_server::PlatformService for PlatformService {
    async fn get_platform(
        &self,
        request: Request<pb::GetPlatformRequest>,
    ) -> Result<Response<pb::Platform>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let (scope, _) = view(&caller)?;
        let platform = platforms::get(&mut *self.app.db.begin(scope).await?, id).await?;
        Ok(Response::new(platform.into()))
    }

    async fn list_platforms(
        &self,
        request: Request<pb::ListPlatformsRequest>,
    ) -> Result<Response<pb::ListPlatformsResponse>> {
        let (caller, request) = accept(request)?;
        let list = list_id(&caller, "platforms", &[]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let (scope, _) = view(&caller)?;
        let mut tx = self.app.db.begin_ordered(scope).await?;
        let page = platforms::list(&mut tx, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListPlatformsResponse {
            platforms: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_platform(
        &self,
        request: Request<pb::CreatePlatformRequest>,
    ) -> Result<Response<pb::Platform>> {
        let (caller, request) = accept(request)?;
        let platform = request::required("platform", request.platform)?;
        let new = NewPlatform {
            slug: platform.slug,
            name: platform.name,
            description: platform.description,
            url: platform.url,
        };
        let id = PlatformId::generate();
        let platform = Change::new(&caller, "CreatePlatform", id)
            .across_organizations()
            .apply(&self.app.db, async |tx| platforms::create(tx, id, new).await)
            .await?;
        Ok(Response::new(platform.into()))
    }

    async fn update_platform(
        &self,
        request: Request<pb::UpdatePlatformRequest>,
    ) -> Result<Response<pb::Platform>> {
        let (caller, request) = accept(request)?;
        let platform = request::required("platform", request.platform)?;
        let id = request::id("platform.id", &platform.id)?;
        let mask = Mask::new::<pb::Platform>(request.update_mask)?;
        let etag = Etag::expected(&platform.etag);
        let patch = PlatformPatch {
            name: mask.pick("name", platform.name),
            description: mask.pick("description", platform.description),
            url: mask.pick("url", platform.url),
        };
        let platform = Change::new(&caller, "UpdatePlatform", id)
            .fields(mask.fields())
            .across_organizations()
            .apply(&self.app.db, async |tx| platforms::update(tx, id, etag, patch).await)
            .await?;
        Ok(Response::new(platform.into()))
    }

    async fn delete_platform(
        &self,
        request: Request<pb::DeletePlatformRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let id: PlatformId = request::id("id", &request.id)?;
        let etag = Etag::expected(&request.etag);
        Change::new(&caller, "DeletePlatform", id)
            .across_organizations()
            .apply(&self.app.db, async |tx| platforms::delete(tx, id, etag).await)
            .await?;
        Ok(Response::new(()))
    }
}

impl From<Platform> for pb::Platform {
    fn from(it: Platform) -> Self {
        Self {
            id: it.id.to_string(),
            slug: it.slug,
            name: it.name,
            description: it.description,
            url: it.url,
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            etag: it.etag.to_string(),
        }
    }
}
