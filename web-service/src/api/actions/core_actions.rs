//! `CoreActionService`.

mod definition;
mod kind;

use crate::{
    api::request::{self, list_id},
    app::{App, change::Change},
    store::actions::core_actions::{self, CoreAction},
};
use shared_db::{
    error::Error,
    ids::{CoreActionId, Etag},
    json,
    service::{Mask, accept},
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, core_action_service_server};

pub struct CoreActionService {
    pub app: App,
}

#[tonic::async_trait]
impl core_action_service_server::CoreActionService for CoreActionService {
    async fn get_core_action(
        &self,
        request: Request<pb::GetCoreActionRequest>,
    ) -> Result<Response<pb::CoreAction>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let action = core_actions::get(&mut tx, caller.org()?, id).await?;
        Ok(Response::new(action.try_into()?))
    }

    async fn list_core_actions(
        &self,
        request: Request<pb::ListCoreActionsRequest>,
    ) -> Result<Response<pb::ListCoreActionsResponse>> {
        let (caller, request) = accept(request)?;
        let platform = request::id_if_any("platform_id", &request.platform_id)?;
        let list = list_id(&caller, "core_actions", &[&request.platform_id]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page =
            core_actions::list(&mut tx, caller.org()?, platform, &page, TryInto::try_into).await?;
        Ok(Response::new(pb::ListCoreActionsResponse {
            core_actions: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_core_action(
        &self,
        request: Request<pb::CreateCoreActionRequest>,
    ) -> Result<Response<pb::CoreAction>> {
        let (caller, request) = accept(request)?;
        let new = definition::new(request::required("core_action", request.core_action)?)?;
        let (org, id) = (caller.org()?, CoreActionId::generate());
        let action = Change::new(&caller, "CreateCoreAction", id)
            .apply(&self.app.db, async |tx| core_actions::create(tx, org, id, new).await)
            .await?;
        Ok(Response::new(action.try_into()?))
    }

    async fn update_core_action(
        &self,
        request: Request<pb::UpdateCoreActionRequest>,
    ) -> Result<Response<pb::CoreAction>> {
        let (caller, request) = accept(request)?;
        let action = request::required("core_action", request.core_action)?;
        let (org, id): (_, CoreActionId) =
            (caller.org()?, request::id("core_action.id", &action.id)?);
        let mask = Mask::new::<pb::CoreAction>(request.update_mask)?;
        let etag = Etag::expected(&action.etag);
        let patch = definition::patch(action, &mask)?;
        let action = Change::new(&caller, "UpdateCoreAction", id)
            .fields(mask.fields())
            .apply(&self.app.db, async |tx| core_actions::update(tx, org, id, etag, patch).await)
            .await?;
        Ok(Response::new(action.try_into()?))
    }

    async fn delete_core_action(
        &self,
        request: Request<pb::DeleteCoreActionRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let (org, id): (_, CoreActionId) = (caller.org()?, request::id("id", &request.id)?);
        let etag = Etag::expected(&request.etag);
        Change::new(&caller, "DeleteCoreAction", id)
            .apply(&self.app.db, async |tx| core_actions::delete(tx, org, id, etag).await)
            .await?;
        Ok(Response::new(()))
    }
}

impl TryFrom<CoreAction> for pb::CoreAction {
    type Error = Error;

    fn try_from(it: CoreAction) -> Result<Self, Error> {
        Ok(Self {
            id: it.id.to_string(),
            organization_id: it.org_id.to_string(),
            slug: it.slug,
            name: it.name,
            description: it.description,
            platform_id: it.platform_id.map(|it| it.to_string()),
            version: it.version,
            kind: Some(kind::to_wire(it.kind, it.config)?),
            input_schema: it.input_schema.and_then(json::to_struct),
            output_schema: it.output_schema.and_then(json::to_struct),
            risk: definition::risk_to_wire(it.risk).into(),
            side_effect: common_api::types::SideEffect::from(it.side_effect).into(),
            scopes: it.scopes,
            price_credits: it.price_credits,
            retry: it.retry.map(json::to_message).transpose()?,
            disabled: it.disabled,
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            etag: it.etag.to_string(),
        })
    }
}
