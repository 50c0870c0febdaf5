//! What actions do: one file for each kind. An executor makes a call ready, so that what will be sent can be noted before it is sent,
//! and then performs it.

pub mod action;
pub mod api;
pub mod http;
pub(crate) mod waits;

use crate::store::actions::Evidence;
use action::Action;
use action_rules::Fault;
use futures_util::future::BoxFuture;
use serde_json::Value;
use shared_db::error::Reason;
use std::{sync::Arc, time::Duration};

/// Runs one kind of action.
pub trait Executor: Send + Sync {
    /// Makes a call ready. Nothing has happened yet.
    fn prepare(&self, call: Call<'_>) -> Result<Box<dyn Prepared>, Failure>;
}

/// A call of an action.
pub struct Call<'a> {
    pub action: &'a Arc<Action>,
    pub input: &'a Value,
    /// The same on every attempt of the step; none for actions that do not know it.
    pub idempotency_key: Option<&'a str>,
}

/// A call that is ready.
pub trait Prepared: Send {
    /// What will be sent, without its secrets.
    fn request(&self) -> Value;

    fn perform(self: Box<Self>) -> BoxFuture<'static, Performed>;
}

/// What a call came to.
#[derive(Debug)]
pub struct Performed {
    pub evidence: Evidence,
    pub result: Result<Value, Failure>,
}

/// Whether a failed call may have had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Certainly not: it was not sent, or the remote refused it.
    None,
    /// The remote has answered, and what the call does may have happened.
    Possible,
    /// Nobody knows: it was sent, and there was no answer.
    Unknown,
}

/// Why a call failed.
#[derive(Clone, Debug)]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
    /// Another try may go better.
    pub retryable: bool,
    pub effect: Effect,
    /// How long the remote asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Characters of a message that is kept.
const MESSAGE_CHARS_MAX: usize = 2000;

impl Failure {
    /// One that no repetition mends, before anything happened.
    pub fn fatal(reason: Reason, message: impl Into<String>) -> Self {
        let message = legible(message.into());
        Self { reason, message, retryable: false, effect: Effect::None, retry_after: None }
    }

    /// One that may go better another time.
    pub fn passing(reason: Reason, message: impl Into<String>, effect: Effect) -> Self {
        Self { retryable: true, effect, ..Self::fatal(reason, message) }
    }

    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::fatal(fault.reason, fault.to_string())
    }
}

/// A message as the database takes it: of bounded length, without NUL.
pub(crate) fn legible(message: String) -> String {
    let message = if message.contains('\0') { message.replace('\0', "\u{fffd}") } else { message };
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &message[..at]),
        None => message,
    }
}
