//! `DeadLetterService`.

use crate::{
    api::request::{id_if_any, list_id},
    app::{App, agents::dead_letters},
};
use common_api::types::{PurgeBatch, RedriveBatch};
use shared_db::{
    error::Error,
    read::dead_letters::{self as read, DeadLetterFilter},
    service::accept,
    wire,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, dead_letter_service_server};

pub struct DeadLetterService {
    pub app: App,
}

#[tonic::async_trait]
impl dead_letter_service_server::DeadLetterService for DeadLetterService {
    async fn list_dead_letters(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let filter = filter(&request)?;
        let list = list_id(&caller, "dead_letters", &[&format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page = read::list(&mut tx, org, &filter, &page).await?;
        Ok(Response::new(pb::ListDeadLettersResponse {
            dead_letters: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn redrive_dead_letters(
        &self,
        request: Request<pb::RedriveDeadLettersRequest>,
    ) -> Result<Response<RedriveBatch>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(dead_letters::redrive(&self.app, &caller, request).await?))
    }

    async fn purge_dead_letters(
        &self,
        request: Request<pb::PurgeDeadLettersRequest>,
    ) -> Result<Response<PurgeBatch>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(dead_letters::purge(&self.app, &caller, request).await?))
    }
}

fn filter(request: &pb::ListDeadLettersRequest) -> Result<DeadLetterFilter, Error> {
    let time = |field, it: Option<_>| it.map(|it| wire::time(field, it)).transpose();
    Ok(DeadLetterFilter {
        agent: id_if_any("agent_id", &request.agent_id)?,
        reason: (!request.reason.is_empty()).then(|| request.reason.clone()),
        from: time("create_time_from", request.create_time_from)?,
        before: time("create_time_before", request.create_time_before)?,
    })
}
