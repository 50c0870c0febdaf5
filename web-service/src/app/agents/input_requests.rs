//! Answering the questions of executions.

use super::commands::{self, Command};
use crate::{
    app::{App, change::Change},
    runtime::Actor,
};
use common_api::types::InputRequest;
use prost_types::Value;
use runtime_api::v1 as rt;
use shared_db::{error::Result, ids::InputRequestId, service::Caller};

/// Answers a question; with a request id, once per request id, whatever dies in between.
pub async fn answer(
    app: &App,
    caller: &Caller,
    id: InputRequestId,
    response: Value,
    request_id: &str,
) -> Result<InputRequest> {
    let request = rt::AnswerInputRequestRequest {
        id: id.to_string(),
        response: Some(response),
        role: caller.role.into(),
    };
    if !request_id.is_empty() {
        return commands::run(app, caller, request_id, Command::AnswerInputRequest(request)).await;
    }
    let answered = app.runtime.answer_input_request(Actor::of(caller)?, request).await?;
    Change::new(caller, "AnswerInputRequest", id).apply(&app.db, async |_| Ok(answered)).await
}
