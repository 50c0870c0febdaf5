//! Whoever is waited for: gives the signal, the answer and the decision that an execution can not go on without.

use super::{
    caller::{Callers, Refusal},
    kind::{Kind, SIGNAL},
};
use crate::client::Caller;
use common_api::types::{Execution, ExecutionState, InputRequestState, StepDecision};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use web_api::v1::{
    AnswerInputRequestRequest, DecideStepRequest, GetExecutionRequest, ListInputRequestsRequest,
    SignalExecutionRequest,
};

/// The first look comes after this, each other one after twice as long, so that those who wait for long are no load.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
const LOOK_INTERVAL_MAX: Duration = Duration::from_millis(1600);

/// Does for an execution of this kind what it waits for, until it has ended.
pub(super) async fn attend(callers: &Callers, kind: Kind, id: &str, refusals: &mut Vec<Refusal>) {
    let attending = async {
        match kind {
            Kind::Once => {
                while waits_or_goes_on(callers, id, refusals).await {
                    decide(callers, kind, id, refusals).await;
                }
            }
            Kind::Waits => {
                signal(callers, id, refusals).await;
                while waits_or_goes_on(callers, id, refusals).await {
                    answer(callers, id, refusals).await;
                }
            }
            Kind::Steps
            | Kind::Retried
            | Kind::Delayed
            | Kind::Reads
            | Kind::Cancelled
            | Kind::Family
            | Kind::Dissolved
            | Kind::Child
            | Kind::Capped
            | Kind::Probe => {}
        }
    };
    // Whoever is not content by then is found in the tables.
    drop(timeout(callers.patience, attending).await);
}

/// Returns when somebody is waited for: true. False: it has ended, or is not there.
async fn waits_or_goes_on(callers: &Callers, id: &str, refusals: &mut Vec<Refusal>) -> bool {
    let mut interval = LOOK_INTERVAL;
    loop {
        let get = |caller: &Caller| {
            let mut executions = caller.executions();
            let request = GetExecutionRequest { id: id.to_owned() };
            async move { executions.get_execution(request).await }
        };
        let Some(execution) = callers.insist(refusals, get).await else { return false };
        if execution.end_time.is_some() {
            return false;
        }
        sleep(interval).await;
        interval = LOOK_INTERVAL_MAX.min(interval * 2);
        if waits(&execution) {
            return true;
        }
    }
}

fn waits(execution: &Execution) -> bool {
    execution.state() == ExecutionState::WaitingInput
}

async fn signal(callers: &Callers, id: &str, refusals: &mut Vec<Refusal>) {
    let signal = |caller: &Caller| {
        let mut executions = caller.executions();
        let request = SignalExecutionRequest {
            id: id.to_owned(),
            name: SIGNAL.to_owned(),
            request_id: format!("signal-{id}"),
            ..SignalExecutionRequest::default()
        };
        async move { executions.signal_execution(request).await }
    };
    callers.insist(refusals, signal).await;
}

/// Whoever decides does not know either, and gives it up.
async fn decide(callers: &Callers, kind: Kind, id: &str, refusals: &mut Vec<Refusal>) {
    for step in kind.steps() {
        let decide = |caller: &Caller| {
            let mut executions = caller.executions();
            let request = DecideStepRequest {
                execution_id: id.to_owned(),
                step_key: step.key.to_owned(),
                decision: StepDecision::Failed.into(),
                ..DecideStepRequest::default()
            };
            async move { executions.decide_step(request).await }
        };
        callers.insist(refusals, decide).await;
    }
}

async fn answer(callers: &Callers, id: &str, refusals: &mut Vec<Refusal>) {
    let list = |caller: &Caller| {
        let mut questions = caller.input_requests();
        let request = ListInputRequestsRequest {
            execution_id: id.to_owned(),
            state: InputRequestState::Open.into(),
            ..ListInputRequestsRequest::default()
        };
        async move { questions.list_input_requests(request).await }
    };
    let open = callers.insist(refusals, list).await.unwrap_or_default().input_requests;
    for question in open {
        let answer = |caller: &Caller| {
            let mut questions = caller.input_requests();
            let request = AnswerInputRequestRequest {
                id: question.id.clone(),
                response: Some(prost_types::Value::from(true)),
                request_id: format!("answer-{id}"),
            };
            async move { questions.answer_input_request(request).await }
        };
        callers.insist(refusals, answer).await;
    }
}
