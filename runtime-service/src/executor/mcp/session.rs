//! A session with an MCP server, as long as one call of a tool.

use super::{
    super::{
        Effect, Failure,
        http::{HttpExecutor, Ready, Sent, read, refusal, response_evidence},
    },
    messages, nothing_happened,
    stream::{self, Events},
};
use crate::store::actions::Evidence;
use reqwest::{
    Method, Response,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde_json::Value;
use shared_db::error::Reason;
use std::time::Duration;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// How long the server has to take note of the end of a session, which nobody waits for.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// The call of the tool. Its key goes with it alone: whoever keeps answers by keys must not take the other messages for it.
pub(super) struct CallRequest {
    pub(super) message: Value,
    pub(super) idempotency_key: Option<String>,
}

pub(super) struct Session {
    http: HttpExecutor,
    /// The request that every message is sent with.
    endpoint: Ready,
    called: bool,
}

impl Session {
    pub(super) fn new(http: HttpExecutor, mut endpoint: Ready) -> Self {
        endpoint.headers.insert(ACCEPT, ACCEPTED);
        Self { http, endpoint, called: false }
    }

    /// For the whole session.
    pub(super) fn timeout(&self) -> Duration {
        self.endpoint.timeout
    }

    /// What will be sent, without its secrets.
    pub(super) fn evidence(&self, request: &CallRequest) -> Value {
        self.calling(request).evidence()
    }

    fn calling(&self, request: &CallRequest) -> Ready {
        let ready = self.endpoint.with_json(&request.message);
        ready.with_idempotency_key(request.idempotency_key.as_deref())
    }

    /// Of running out of time.
    pub(super) fn effect_of_silence(&self) -> Effect {
        if self.called { Effect::Unknown } else { Effect::None }
    }

    /// What the tool gives.
    pub(super) async fn call(
        &mut self,
        request: &CallRequest,
        evidence: &mut Evidence,
    ) -> Result<Value, Failure> {
        self.open().await.map_err(nothing_happened)?;
        self.called = true;
        let response = self.send(self.calling(request)).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        evidence.http_status = Some(i32::from(status.as_u16()));
        let mut body = Vec::new();
        let answer = self.answer(response, messages::CALL, &mut body).await;
        evidence.response = Some(response_evidence(status, &headers, &body));
        messages::given(answer?)
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let response = self.send(self.endpoint.with_json(&messages::open())).await?;
        // There is a session from here on, to be closed whatever the server says.
        if let Some(id) = response.headers().get(SESSION) {
            self.endpoint.headers.insert(SESSION, id.clone());
        }
        let answer = self.answer(response, messages::OPENING, &mut Vec::new()).await?;
        let version = messages::version(answer)?;
        self.endpoint.headers.insert(VERSION, HeaderValue::from_static(version));
        let noted = self.send(self.endpoint.with_json(&messages::opened())).await?;
        refusal(noted.status(), noted.headers()).map_or(Ok(()), Err)
    }

    async fn send(&self, ready: Ready) -> Result<Response, Failure> {
        self.http.send(ready, &mut Sent::default()).await
    }

    /// The answer to the request `id`: the response itself, or one of the events that it consists of. `body` gets what was read of it.
    async fn answer(
        &self,
        response: Response,
        id: u64,
        body: &mut Vec<u8>,
    ) -> Result<Value, Failure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = self.endpoint.response_bytes_max;
        if let Some(failure) = refusal(status, &headers) {
            // Why, as far as it can be read, is for the evidence alone.
            let _ = read(response, limit, body).await;
            return Err(failure);
        }
        let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        if stream::is_one(kind) {
            return Events::of(response, limit).until(id, body).await;
        }
        read(response, limit, body).await?;
        match serde_json::from_slice(body) {
            Ok(message) if messages::answers(&message, id) => Ok(message),
            _ => {
                let message =
                    "the server's answer is not the response of JSON-RPC that was asked for";
                Err(Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible))
            }
        }
    }

    /// Tells the server that the session is over, if there is one. It may refuse that.
    pub(super) fn close(self) {
        if !self.endpoint.headers.contains_key(SESSION) {
            return;
        }
        let Self { http, endpoint, .. } = self;
        let farewell = endpoint.without_body(Method::DELETE);
        tokio::spawn(async move {
            let mut sent = Sent::default();
            let _ = tokio::time::timeout(CLOSE_LIMIT, http.send(farewell, &mut sent)).await;
        });
    }
}
