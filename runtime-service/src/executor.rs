//! What actions do: one file for each kind. An executor makes a call ready, so that what will be sent can be noted before it is sent,
//! and then performs it.

pub mod action;
pub mod api;
mod filters;
pub mod http;
mod mcp;
mod shape;
mod transform;
pub(crate) mod waits;

pub use filters::run_if_asked;

use crate::store::actions::Evidence;
use action::{Action, Kind};
use action_rules::Fault;
use futures_util::future::BoxFuture;
use http::{HttpExecutor, address::AddressRules};
use mcp::McpExecutor;
use serde_json::Value;
use shape::Shaper;
use shared_db::error::Reason;
use std::{path::PathBuf, sync::Arc, time::Duration};
use transform::TransformExecutor;

/// One for each kind of action.
pub struct Executors {
    http: HttpExecutor,
    mcp: McpExecutor,
    transform: TransformExecutor,
}

impl Executors {
    /// Filters are run by `runner`; by this program when `None`.
    pub fn new(rules: AddressRules, runner: Option<PathBuf>) -> anyhow::Result<Self> {
        let shaper = Shaper::new(runner)?;
        let http = HttpExecutor::new(rules, shaper.clone())?;
        Ok(Self {
            mcp: McpExecutor::new(http.clone(), shaper.clone()),
            transform: TransformExecutor::new(shaper),
            http,
        })
    }

    /// Makes a call ready. Nothing has happened yet.
    pub fn prepare(&self, call: &Call<'_>) -> Result<Box<dyn Prepared>, Failure> {
        match &call.action.kind {
            Kind::Http(it) => self.http.prepare(it, call),
            Kind::Mcp(it) => self.mcp.prepare(it, call),
            Kind::Transform(filter) => Ok(self.transform.prepare(filter, call)),
        }
    }
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
