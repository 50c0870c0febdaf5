//! `InputRequestService`.

use crate::{
    api::request::{id, id_if_any, list_id, required},
    app::{App, agents::input_requests},
};
use common_api::types::{InputRequest, InputRequestState};
use shared_db::{
    enums::{self, MemberRole},
    error::Error,
    read::input_requests::{self as read, Answerer, InputRequestFilter},
    service::{Caller, accept},
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, input_request_service_server};

pub struct InputRequestService {
    pub app: App,
}

#[tonic::async_trait]
impl input_request_service_server::InputRequestService for InputRequestService {
    async fn get_input_request(
        &self,
        request: Request<pb::GetInputRequestRequest>,
    ) -> Result<Response<InputRequest>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        Ok(Response::new(read::get(&mut tx, caller.org()?, id).await?))
    }

    async fn list_input_requests(
        &self,
        request: Request<pb::ListInputRequestsRequest>,
    ) -> Result<Response<pb::ListInputRequestsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let filter = filter(&caller, &request)?;
        let list = list_id(&caller, "input_requests", &[&format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page = read::list(&mut tx, org, &filter, &page).await?;
        Ok(Response::new(pb::ListInputRequestsResponse {
            input_requests: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn answer_input_request(
        &self,
        request: Request<pb::AnswerInputRequestRequest>,
    ) -> Result<Response<InputRequest>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let response = required("response", request.response)?;
        let request_id = &request.request_id;
        let answer = input_requests::answer(&self.app, &caller, id, response, request_id).await?;
        Ok(Response::new(answer))
    }
}

fn filter(
    caller: &Caller,
    request: &pb::ListInputRequestsRequest,
) -> Result<InputRequestFilter, Error> {
    let state = InputRequestState::try_from(request.state).unwrap_or_default();
    // Whoever is less than a member may answer nothing and does not come here.
    let role = MemberRole::of(caller.role).unwrap_or(MemberRole::Viewer);
    Ok(InputRequestFilter {
        state: enums::InputRequestState::from_wire(state),
        execution: id_if_any("execution_id", &request.execution_id)?,
        answerable: request.only_mine.then_some(Answerer { role, user: caller.user }),
    })
}
