//! What workers write while they hold executions: the changes of many turns in one statement, each fenced by its own lease.
//!
//! A change takes its rows from the queue row under its token; with an old token it changes nothing, and the others of the batch
//! are not touched by that. [`crate::engine`] gathers what its turns write at the same moment, so that they share a commit.

mod apply;

pub use apply::{Applied, Changed, apply};

use super::{executions::End, lease::Lease};
use chrono::{DateTime, Utc};
use serde_json::Value;
use shared_db::{
    enums::{EventType, ExecutionState, SideEffect, StepState, StepType},
    ids::{ActionExecutionId, CoreActionId, StepId},
};
use std::time::Duration;

/// One turn's change: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Change {
    pub lease: Lease,
    /// The turn has not told yet that it began, so this does; by the database's clock.
    pub begun_at: Option<DateTime<Utc>>,
    pub fate: Fate,
    pub steps: Vec<StepRow>,
    pub actions: Vec<ActionRow>,
    pub events: Vec<EventRow>,
}

/// What becomes of the lease.
#[derive(Clone, Debug)]
pub enum Fate {
    Keep,
    /// Kept as well, but nothing of the change happens when somebody has asked to stop or to pause.
    KeepUnlessAsked,
    /// Back into the queue, to be claimed after the delay. It gives way in the same manner.
    Leave(Duration),
    End(End),
}

/// A step as it is from now on.
#[derive(Clone, Debug)]
pub struct StepRow {
    /// There is no row of it yet.
    pub new: bool,
    pub id: StepId,
    pub step_key: String,
    pub sequence: i32,
    pub step_type: StepType,
    pub state: StepState,
    pub side_effect: SideEffect,
    pub input_hash: Vec<u8>,
    pub input: Value,
    pub output: Option<Value>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
    pub attempt: i32,
    pub failures: i32,
}

/// An attempt to perform an action as it is from now on. What is absent stays as it was noted before the call.
#[derive(Clone, Debug)]
pub struct ActionRow {
    /// There is no row of it yet.
    pub new: bool,
    pub id: ActionExecutionId,
    pub step_id: StepId,
    pub core_action_id: CoreActionId,
    pub core_action_version: i32,
    pub attempt: i32,
    pub state: StepState,
    pub idempotency_key: String,
    pub request: Option<Value>,
    pub response: Option<Value>,
    pub http_status: Option<i32>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
}

#[derive(Clone, Debug)]
pub struct EventRow {
    pub event_type: EventType,
    pub step_key: Option<String>,
    pub payload: Value,
    /// When it happened, if that was before it is written.
    pub at: Option<DateTime<Utc>>,
}

impl Fate {
    fn yields(&self) -> bool {
        match self {
            Self::KeepUnlessAsked | Self::Leave(_) => true,
            Self::Keep | Self::End(_) => false,
        }
    }

    fn ends(&self) -> bool {
        matches!(self, Self::End(_))
    }

    fn delay_ms(&self) -> Option<i64> {
        match self {
            Self::Leave(delay) => Some(super::queue::millis(*delay)),
            Self::Keep | Self::KeepUnlessAsked | Self::End(_) => None,
        }
    }

    fn state(&self) -> ExecutionState {
        match self {
            Self::Keep | Self::KeepUnlessAsked => ExecutionState::Running,
            Self::Leave(_) => ExecutionState::Queued,
            Self::End(end) => end.state(),
        }
    }

    fn dead_letter(&self) -> Option<&str> {
        match self {
            Self::End(end) => end.dead_letter(),
            Self::Keep | Self::KeepUnlessAsked | Self::Leave(_) => None,
        }
    }

    fn output(&self) -> Option<&Value> {
        match self {
            Self::End(End::Succeeded { output }) => Some(output),
            Self::Keep | Self::KeepUnlessAsked | Self::Leave(_) | Self::End(_) => None,
        }
    }

    fn error(&self) -> Option<(&'static str, &str, Option<&str>)> {
        match self {
            Self::End(end) => end.error(),
            Self::Keep | Self::KeepUnlessAsked | Self::Leave(_) => None,
        }
    }
}
