//! `ApiKeyService`.

use super::members::{role, to_wire};
use crate::{
    api::request::{self, list_id},
    app::{self, App, api_keys::Wanted},
    store::identity::api_keys::{self, ApiKey},
};
use shared_db::{service::accept, wire};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, api_key_service_server};

pub struct ApiKeyService {
    pub app: App,
}

#[tonic::async_trait]
impl api_key_service_server::ApiKeyService for ApiKeyService {
    async fn get_api_key(
        &self,
        request: Request<pb::GetApiKeyRequest>,
    ) -> Result<Response<pb::ApiKey>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let key = api_keys::get(&mut tx, caller.org()?, id).await?;
        Ok(Response::new(key.into()))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Result<Response<pb::ListApiKeysResponse>> {
        let (caller, request) = accept(request)?;
        let list = list_id(&caller, "api_keys", &[]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_ordered(caller.scope()?).await?;
        let page = api_keys::list(&mut tx, caller.org()?, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListApiKeysResponse {
            api_keys: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Result<Response<pb::CreateApiKeyResponse>> {
        let (caller, request) = accept(request)?;
        let key = request::required("api_key", request.api_key)?;
        let wanted = Wanted {
            role: role("api_key.role", key.role())?,
            user: key.user_id.map(|it| request::id("api_key.user_id", &it)).transpose()?,
            expires_at: key
                .expire_time
                .map(|it| wire::time("api_key.expire_time", it))
                .transpose()?,
            name: key.name,
        };
        let (key, secret) = app::api_keys::create(&self.app, &caller, wanted).await?;
        let secret = secret.expose().to_owned();
        Ok(Response::new(pb::CreateApiKeyResponse { api_key: Some(key.into()), secret }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Result<Response<pb::ApiKey>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let key = app::api_keys::revoke(&self.app, &caller, id).await?;
        Ok(Response::new(key.into()))
    }
}

impl From<ApiKey> for pb::ApiKey {
    fn from(it: ApiKey) -> Self {
        Self {
            id: it.id.to_string(),
            organization_id: it.org_id.to_string(),
            name: it.name,
            prefix: it.prefix,
            role: to_wire(it.role).into(),
            user_id: it.user_id.map(|it| it.to_string()),
            expire_time: it.expires_at.map(wire::timestamp),
            revoke_time: it.revoked_at.map(wire::timestamp),
            last_use_time: it.last_used_at.map(wire::timestamp),
            created_by: it.created_by.map(|it| it.to_string()).unwrap_or_default(),
            create_time: Some(wire::timestamp(it.created_at)),
        }
    }
}
