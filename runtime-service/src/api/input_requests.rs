//! `InputRequestService`.

use crate::app::input_requests::InputRequests;
use common_api::types::InputRequest;
use runtime_api::v1::{self as pb, input_request_service_server};
use shared_db::{
    json,
    service::{accept, id},
};
use tonic::{Request, Response, Result};

pub struct InputRequestService {
    pub input_requests: InputRequests,
}

#[tonic::async_trait]
impl input_request_service_server::InputRequestService for InputRequestService {
    async fn answer_input_request(
        &self,
        request: Request<pb::AnswerInputRequestRequest>,
    ) -> Result<Response<InputRequest>> {
        let (caller, request) = accept(request)?;
        let (id, role) = (id("id", &request.id)?, request.role());
        let response = json::from_value(request.response.unwrap_or_default());
        Ok(Response::new(self.input_requests.answer(&caller, role, id, &response).await?))
    }
}
