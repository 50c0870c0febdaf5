//! Steps that must not be repeated and whose outcome nobody knows. A person says what became of them; until then their execution waits.

use super::{
    super::write::{Write, Written},
    Stop, Turn,
};
use crate::{
    executor::legible,
    store::{
        steps::Step,
        turns::{ActionRow, StepRow},
    },
};
use shared_db::{
    enums::{ExecutionState, StepState},
    error::{Reason, reason_name},
};

const LOST: &str = "the worker was lost during a call that must not be repeated, so whether it took effect is unknown";

impl Turn {
    /// Of a step during whose call a worker was lost.
    pub(super) async fn interrupted(&self, step: &Step) -> Stop {
        let row = StepRow {
            new: false,
            id: step.id,
            step_key: step.step_key.clone(),
            sequence: step.sequence,
            step_type: step.step_type,
            state: StepState::Waiting,
            side_effect: step.side_effect,
            input_hash: step.input_hash.clone(),
            input: step.input.clone().unwrap_or_default(),
            output: None,
            error_reason: Some(reason_name(Reason::StepOutcomeUnknown).to_owned()),
            error_message: Some(LOST.to_owned()),
            attempt: step.attempt,
            failures: step.failures,
        };
        self.await_decision(&step.step_key, Some(row), None).await
    }

    /// Of a step whose call was sent and not answered.
    pub(super) async fn unknown(&self, step: StepRow, action: ActionRow, message: String) -> Stop {
        let key = step.step_key.clone();
        let row = StepRow {
            state: StepState::Waiting,
            error_reason: Some(reason_name(Reason::StepOutcomeUnknown).to_owned()),
            error_message: Some(legible(message)),
            ..step
        };
        self.await_decision(&key, Some(row), Some(action)).await
    }

    /// Leaves the execution to whoever decides. Without `step`, the step is known to be undecided.
    pub(super) async fn await_decision(
        &self,
        key: &str,
        step: Option<StepRow>,
        action: Option<ActionRow>,
    ) -> Stop {
        tracing::info!(step = key, "the outcome is unknown; a person is to decide");
        let write = Write::AwaitDecision { step_key: key.to_owned(), step, action };
        match self.write(&write).await {
            Ok(Written::Cancelled) => Stop::Ended(ExecutionState::Cancelled),
            Ok(Written::Done | Written::Paused) => Stop::Left,
            Err(other) => other,
        }
    }
}
