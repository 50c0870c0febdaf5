//! From an action and an input to a request, and from a redirect to the next one.

use super::{
    super::{Effect, Failure},
    redact,
};
use action_rules::{
    http_call,
    template::{self, Context, Template},
};
use common_api::types::HttpCall;
use reqwest::{
    Method, StatusCode,
    header::{
        ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
    },
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::time::Duration;
use url::Url;

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_MAX: Duration = Duration::from_mins(10);
const RESPONSE_BYTES_DEFAULT: usize = 1 << 20;
const RESPONSE_BYTES_MAX: usize = 16 << 20;
const URL_BYTES_MAX: usize = 16 << 10;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that go along when a redirect leads to another origin. Any other may be a credential.
const KEPT_ACROSS_ORIGINS: &[HeaderName] = &[ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT];

/// The call of an action, compiled.
pub struct HttpAction {
    method: Method,
    url: Template,
    headers: Vec<(HeaderName, Template)>,
    body: Option<Template>,
    /// It compiles; the processes that run it compile it again.
    pub(in super::super) filter: Option<String>,
    timeout: Duration,
    response_bytes_max: usize,
    redirects_max: u32,
}

impl std::fmt::Debug for HttpAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAction").field("method", &self.method).finish_non_exhaustive()
    }
}

impl HttpAction {
    pub fn compile(call: &HttpCall) -> Result<Self, Failure> {
        http_call::check(call)?;
        let unusable =
            |what: &str| Failure::fatal(Reason::InvalidField, format!("{what} is not usable"));
        let mut headers = Vec::with_capacity(call.headers.len());
        for (name, value) in &call.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable(name))?;
            headers.push((name, template::compile(value, Context::Text)?));
        }
        let body = Some(&call.body_template).filter(|it| !it.is_empty());
        let filter = Some(&call.response_filter).filter(|it| !it.is_empty());
        let timeout = call.timeout.and_then(|it| Duration::try_from(it).ok());
        let bytes = usize::try_from(call.response_bytes_max).unwrap_or(0);
        Ok(Self {
            method: call.method.parse().map_err(|_| unusable("the method"))?,
            url: template::compile(&call.url, Context::Url)?,
            headers,
            body: body.map(|it| template::compile(it, Context::Text)).transpose()?,
            filter: filter.cloned(),
            timeout: timeout.unwrap_or(TIMEOUT_DEFAULT).min(TIMEOUT_MAX),
            response_bytes_max: if bytes == 0 {
                RESPONSE_BYTES_DEFAULT
            } else {
                bytes.min(RESPONSE_BYTES_MAX)
            },
            redirects_max: u32::try_from(call.redirects_max).unwrap_or(0),
        })
    }

    /// Fills in the templates.
    pub(in super::super) fn ready(
        &self,
        input: &Value,
        key: Option<&str>,
    ) -> Result<Ready, Failure> {
        let url = self.url.render(input)?;
        if url.len() > URL_BYTES_MAX {
            let message = format!("the address is longer than {URL_BYTES_MAX} bytes");
            return Err(Failure::fatal(Reason::InvalidTemplate, message));
        }
        let url = Url::parse(&url).map_err(|error| {
            Failure::fatal(Reason::InvalidTemplate, format!("the address is malformed: {error}"))
        })?;
        check_url(&url)?;
        let mut headers = HeaderMap::new();
        for (name, template) in &self.headers {
            let value = HeaderValue::try_from(template.render(input)?).map_err(|_| {
                let message =
                    format!("the header {name} would hold characters that headers may not");
                Failure::fatal(Reason::InvalidTemplate, message)
            })?;
            headers.insert(name, value);
        }
        let body = self.body(input)?;
        if let Some(body) = &body
            && !headers.contains_key(CONTENT_TYPE)
        {
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
            let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let Self { timeout, response_bytes_max, redirects_max, .. } = *self;
        let method = self.method.clone();
        let ready =
            Ready { method, url, headers, body, timeout, response_bytes_max, redirects_max };
        Ok(ready.with_idempotency_key(key))
    }

    fn body(&self, input: &Value) -> Result<Option<Vec<u8>>, Failure> {
        Ok(match (&self.body, &self.method) {
            (Some(template), _) => Some(template.render(input)?.into_bytes()),
            (None, &Method::POST | &Method::PUT | &Method::PATCH) => {
                Some(input.to_string().into_bytes())
            }
            (None, _) => None,
        })
    }
}

/// Only http and https, and no user or password.
fn check_url(url: &Url) -> Result<(), Failure> {
    let refused = |message: String| Err(Failure::fatal(Reason::AddressRefused, message));
    if !matches!(url.scheme(), "http" | "https") {
        return refused(format!("the scheme {} is not http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("the address holds a user or a password; send them in a header".to_owned());
    }
    Ok(())
}

/// A request that is about to be sent.
#[derive(Clone)]
pub(in super::super) struct Ready {
    method: Method,
    pub(in super::super) url: Url,
    pub(in super::super) headers: HeaderMap,
    body: Option<Vec<u8>>,
    pub(in super::super) timeout: Duration,
    pub(in super::super) response_bytes_max: usize,
    pub(super) redirects_max: u32,
}

impl Ready {
    pub(in super::super) fn with_idempotency_key(mut self, key: Option<&str>) -> Self {
        if let Some(key) = key.and_then(|it| HeaderValue::try_from(it).ok()) {
            self.headers.insert(IDEMPOTENCY_KEY, key);
        }
        self
    }

    /// The same with another body.
    pub(in super::super) fn with_json(&self, body: &Value) -> Self {
        let mut ready = Self { body: Some(body.to_string().into_bytes()), ..self.clone() };
        ready.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ready
    }

    /// The same by another method, with no body.
    pub(in super::super) fn without_body(mut self, method: Method) -> Self {
        self.headers.remove(CONTENT_TYPE);
        Self { method, body: None, ..self }
    }

    pub(in super::super) fn evidence(&self) -> Value {
        json!({
            "method": self.method.as_str(),
            "url": redact::url(&self.url),
            "headers": redact::headers(&self.headers),
            "body": self.body.as_deref().map(redact::body),
        })
    }

    pub(super) fn build(&self, client: &reqwest::Client) -> Result<reqwest::Request, Failure> {
        let mut request =
            client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        request.build().map_err(|error| {
            Failure::fatal(
                Reason::InvalidTemplate,
                format!("the request is malformed: {}", error.without_url()),
            )
        })
    }

    /// The request that a redirect asks for, as browsers send it: 303 makes a GET, 301 and 302 make one of a POST. To another origin
    /// go no headers that could be credentials.
    pub(super) fn redirected(mut self, status: StatusCode, target: Url) -> Self {
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(CONTENT_TYPE);
        }
        if self.url.origin() != target.origin() {
            let kept = |name: &HeaderName| KEPT_ACROSS_ORIGINS.contains(name);
            let headers = self.headers.iter().filter(|it| kept(it.0));
            self.headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        self.url = target;
        self
    }
}

/// How far a call has come, which says what a failure may have left behind.
#[derive(Debug, Default)]
pub(in super::super) struct Sent {
    answered: bool,
}

impl Sent {
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// Of a failure before the request at hand was sent: earlier ones, which redirected, may have done something.
    pub(super) fn effect(&self) -> Effect {
        if self.answered { Effect::Possible } else { Effect::None }
    }

    /// Of running out of time.
    #[expect(
        clippy::unused_self,
        reason = "it would tell whether the connection was made, if the client did"
    )]
    pub(super) fn effect_of_silence(&self) -> Effect {
        Effect::Unknown
    }
}
