//! What a worker writes, made by hand.

use runtime_service::store::{
    lease::Lease,
    turns::{ActionRow, Change, EventRow, Fate, StepRow},
};
use serde_json::json;
use shared_db::{
    enums::{EventType, SideEffect, StepState, StepType},
    ids::{ActionExecutionId, CoreActionId, StepId},
};

/// A step under way, its first attempt.
pub(in super::super) fn step(key: &str) -> StepRow {
    StepRow {
        new: true,
        id: StepId::generate(),
        step_key: key.to_owned(),
        sequence: 1,
        step_type: StepType::Http,
        state: StepState::Running,
        side_effect: SideEffect::Pure,
        input_hash: vec![7; 32],
        input: json!({}),
        output: None,
        error_reason: None,
        error_message: None,
        attempt: 1,
        failures: 0,
    }
}

/// The action that the step performs.
pub(in super::super) fn action(of: &StepRow) -> ActionRow {
    ActionRow {
        new: true,
        id: ActionExecutionId::generate(),
        step_id: of.id,
        core_action_id: CoreActionId::generate(),
        core_action_version: 1,
        attempt: of.attempt,
        state: of.state,
        idempotency_key: String::new(),
        request: None,
        response: None,
        http_status: None,
        error_reason: None,
        error_message: None,
    }
}

pub(in super::super) fn event(event_type: EventType) -> EventRow {
    EventRow { event_type, step_key: None, payload: json!({}), at: None }
}

/// A change that keeps the lease and tells of a step.
pub(in super::super) fn change(lease: &Lease, step: Option<StepRow>) -> Change {
    Change {
        lease: *lease,
        begun_at: None,
        fate: Fate::Keep,
        actions: step.iter().map(action).collect(),
        steps: step.into_iter().collect(),
        events: vec![event(EventType::StepStarted)],
    }
}

/// The same rows once more: they are there by now, and are changed.
pub(in super::super) fn again(mut change: Change) -> Change {
    change.steps.iter_mut().for_each(|it| it.new = false);
    change.actions.iter_mut().for_each(|it| it.new = false);
    change
}
