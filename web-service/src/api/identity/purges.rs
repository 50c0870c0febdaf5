//! `PurgeService`.

use crate::{
    api::request::{self, list_id},
    app::{self, App},
    store::identity::purges::{self, Purge},
};
use shared_db::{
    enums::{PurgeState, PurgeSubject},
    purge::tables,
    scope::Scope,
    service::accept,
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, purge_service_server};

pub struct PurgeService {
    pub app: App,
}

#[tonic::async_trait]
impl purge_service_server::PurgeService for PurgeService {
    async fn get_purge(
        &self,
        request: Request<pb::GetPurgeRequest>,
    ) -> Result<Response<pb::Purge>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let purge = app::purges::get(&self.app, &caller, id).await?;
        Ok(Response::new(purge.into()))
    }

    async fn list_purges(
        &self,
        request: Request<pb::ListPurgesRequest>,
    ) -> Result<Response<pb::ListPurgesResponse>> {
        let (caller, request) = accept(request)?;
        let list = list_id(&caller, "purges", &[]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_ordered(Scope::Platform).await?;
        let page = purges::list(&mut tx, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListPurgesResponse {
            purges: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }
}

impl From<Purge> for pb::Purge {
    fn from(it: Purge) -> Self {
        let subject = match it.subject {
            PurgeSubject::Organization => pb::PurgeSubject::Organization,
            PurgeSubject::User => pb::PurgeSubject::User,
        };
        let state = match it.state {
            PurgeState::Stopping => pb::PurgeState::Stopping,
            PurgeState::Erasing => pb::PurgeState::Erasing,
            PurgeState::Finished => pb::PurgeState::Finished,
        };
        let mut receipt = tables(it.runtime_counts.as_ref());
        receipt.extend(tables(Some(&it.counts)));
        Self {
            id: it.id.to_string(),
            subject: subject.into(),
            subject_id: it.subject_id.to_string(),
            state: state.into(),
            tables: receipt,
            requested_by: it.requested_by.map(|it| it.to_string()).unwrap_or_default(),
            error: it.error.unwrap_or_default(),
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            finish_time: it.finished_at.map(timestamp),
        }
    }
}
