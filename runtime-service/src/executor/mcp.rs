//! Tools of MCP servers, over Streamable HTTP: a session is opened, the tool is called, the session is closed. What goes over the wire
//! obeys the rules of HTTP calls, those of addresses included.
//!
//! Until the tool is called nothing has happened, so whatever fails before leaves no doubt about its effect.

mod messages;
mod session;
mod stream;

use super::{
    Call, Effect, Failure, Performed, Prepared,
    action::Action,
    http::{HttpAction, HttpExecutor},
    shape::Shaper,
};
use crate::store::actions::Evidence;
use common_api::types::{HttpCall, McpCall};
use futures_util::future::BoxFuture;
use serde_json::Value;
use session::{CallRequest, Session};
use shared_db::error::Reason;
use std::sync::Arc;

/// The call of a tool, compiled.
#[derive(Debug)]
pub struct McpAction {
    /// Where each message is sent and how, and what becomes of what the tool gives.
    endpoint: HttpAction,
    tool: String,
}

impl McpAction {
    pub fn compile(call: &McpCall) -> Result<Self, Failure> {
        action_rules::mcp_call::check(call)?;
        let endpoint = HttpCall {
            method: "POST".to_owned(),
            url: call.url.clone(),
            headers: call.headers.clone(),
            timeout: call.timeout,
            response_filter: call.response_filter.clone(),
            response_bytes_max: call.response_bytes_max,
            ..HttpCall::default()
        };
        Ok(Self { endpoint: HttpAction::compile(&endpoint)?, tool: call.tool.clone() })
    }
}

/// Performs the actions of kind `mcp`.
#[derive(Clone)]
pub(super) struct McpExecutor {
    http: HttpExecutor,
    shaper: Shaper,
}

impl McpExecutor {
    pub(super) fn new(http: HttpExecutor, shaper: Shaper) -> Self {
        Self { http, shaper }
    }

    /// Makes a call ready. Nothing has happened yet.
    pub(super) fn prepare(
        &self,
        mcp: &McpAction,
        call: &Call<'_>,
    ) -> Result<Box<dyn Prepared>, Failure> {
        if !call.input.is_object() {
            let message = "a tool takes an object, and the step's input is none";
            return Err(Failure::fatal(Reason::SchemaMismatch, message));
        }
        let endpoint = mcp.endpoint.ready(call.input, None)?;
        self.http.check_literal(&endpoint.url)?;
        Ok(Box::new(PreparedCall {
            shaper: self.shaper.clone(),
            action: call.action.clone(),
            filter: mcp.endpoint.filter.clone(),
            session: Session::new(self.http.clone(), endpoint),
            request: CallRequest {
                message: messages::call(&mcp.tool, call.input, call.idempotency_key),
                idempotency_key: call.idempotency_key.map(str::to_owned),
            },
        }))
    }
}

struct PreparedCall {
    shaper: Shaper,
    action: Arc<Action>,
    filter: Option<String>,
    session: Session,
    request: CallRequest,
}

impl Prepared for PreparedCall {
    fn request(&self) -> Value {
        self.session.evidence(&self.request)
    }

    fn perform(self: Box<Self>) -> BoxFuture<'static, Performed> {
        Box::pin(async move {
            let Self { shaper, action, filter, mut session, request } = *self;
            let mut evidence = Evidence::default();
            let limit = session.timeout();
            let talk = session.call(&request, &mut evidence);
            let result = tokio::time::timeout(limit, talk).await.unwrap_or_else(|_| {
                let message = format!("the server did not answer within {} ms", limit.as_millis());
                Err(Failure::passing(Reason::RemoteTimeout, message, session.effect_of_silence()))
            });
            session.close();
            let result = match result {
                Ok(given) => {
                    shaper.shape(&action, filter.as_deref(), given.to_string().into_bytes()).await
                }
                Err(failure) => Err(failure),
            };
            Performed { evidence, result }
        })
    }
}

/// Of a failure before the tool was called.
fn nothing_happened(failure: Failure) -> Failure {
    failure.with_effect(Effect::None)
}
