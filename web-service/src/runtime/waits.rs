//! Commands to executions that wait: answers, signals and decisions. Each may be given twice.

use super::{Actor, Repeat, Runtime, executions};
use common_api::types::{Execution, ExecutionStep, InputRequest};
use runtime_api::v1::{self as pb, input_request_service_client::InputRequestServiceClient};
use shared_db::error::Result;

impl Runtime {
    pub async fn answer_input_request(
        &self,
        actor: Actor,
        message: pb::AnswerInputRequestRequest,
    ) -> Result<InputRequest> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            let client = InputRequestServiceClient::new(channel);
            client.max_decoding_message_size(usize::MAX).answer_input_request(it).await
        })
        .await
    }

    pub async fn signal_execution(
        &self,
        actor: Actor,
        message: pb::SignalExecutionRequest,
    ) -> Result<Execution> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).signal_execution(it).await
        })
        .await
    }

    pub async fn decide_step(
        &self,
        actor: Actor,
        message: pb::DecideStepRequest,
    ) -> Result<ExecutionStep> {
        self.call(actor, Repeat::Freely, message, |channel, it| async move {
            executions(channel).decide_step(it).await
        })
        .await
    }
}
