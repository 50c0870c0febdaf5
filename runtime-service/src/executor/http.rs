//! HTTP calls: one request, its redirects, and what its response becomes. Only to addresses that may be called.

pub mod address;
mod redact;
mod request;
mod response;

pub use request::HttpAction;
pub(super) use request::{Ready, Sent};
pub(super) use response::{evidence as response_evidence, next, read, refusal};

use super::{Call, Effect, Failure, Performed, Prepared, shape::Shaper};
use crate::store::actions::Evidence;
use address::{AddressRules, Refused, Resolver};
use futures_util::future::BoxFuture;
use reqwest::redirect::Policy;
use serde_json::Value;
use shared_db::error::Reason;
use std::{error::Error, fmt::Write, sync::Arc, time::Duration};

/// Longest that making a connection may take, within the time of the whole call.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Performs the actions of kind `http`.
#[derive(Clone)]
pub struct HttpExecutor {
    client: reqwest::Client,
    rules: AddressRules,
    shaper: Shaper,
}

impl HttpExecutor {
    pub(super) fn new(rules: AddressRules, shaper: Shaper) -> anyhow::Result<Self> {
        // Installing a provider twice is refused and harmless: the service may have done it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            // The proxy of an environment would resolve names itself and so undo the check of addresses.
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_LIMIT)
            .dns_resolver(Arc::new(Resolver(rules.clone())))
            .user_agent(concat!("freehold/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, rules, shaper })
    }

    /// Makes a call ready. Nothing has happened yet.
    pub(super) fn prepare(
        &self,
        http: &HttpAction,
        call: &Call<'_>,
    ) -> Result<Box<dyn Prepared>, Failure> {
        let ready = http.ready(call.input, call.idempotency_key)?;
        self.check_literal(&ready.url)?;
        Ok(Box::new(PreparedHttp {
            executor: self.clone(),
            action: call.action.clone(),
            filter: http.filter.clone(),
            ready,
        }))
    }

    /// Addresses written as numbers are never resolved, so they are checked here.
    pub(super) fn check_literal(&self, url: &url::Url) -> Result<(), Failure> {
        let ip = match url.host() {
            Some(url::Host::Ipv4(it)) => it.into(),
            Some(url::Host::Ipv6(it)) => it.into(),
            Some(url::Host::Domain(_)) => return Ok(()),
            None => {
                return Err(Failure::fatal(Reason::AddressRefused, "the address names no host"));
            }
        };
        if self.rules.permit(ip) {
            return Ok(());
        }
        let refused = Refused { host: ip.to_string() };
        Err(Failure::fatal(Reason::AddressRefused, refused.to_string()))
    }

    /// Sends the request and follows its redirects, each one's address checked like the first.
    pub(super) async fn send(
        &self,
        mut ready: Ready,
        sent: &mut Sent,
    ) -> Result<reqwest::Response, Failure> {
        let redirects_max = ready.redirects_max;
        for followed in 0.. {
            self.check_literal(&ready.url).map_err(|it| it.with_effect(sent.effect()))?;
            let request = ready.build(&self.client)?;
            let response = match self.client.execute(request).await {
                Ok(response) => response,
                Err(error) => return Err(failed(&error, sent)),
            };
            sent.answered();
            let Some(target) = response::redirect_target(&response, &ready.url)? else {
                return Ok(response);
            };
            if followed >= redirects_max {
                let message = format!(
                    "the remote redirected more often than allowed ({redirects_max}), last to {}",
                    redact::url(&target)
                );
                return Err(
                    Failure::fatal(Reason::TooManyRedirects, message).with_effect(Effect::Possible)
                );
            }
            ready = ready.redirected(response.status(), target);
        }
        unreachable!("the loop above has no other end")
    }
}

struct PreparedHttp {
    executor: HttpExecutor,
    action: Arc<super::action::Action>,
    filter: Option<String>,
    ready: Ready,
}

impl Prepared for PreparedHttp {
    fn request(&self) -> Value {
        self.ready.evidence()
    }

    fn perform(self: Box<Self>) -> BoxFuture<'static, Performed> {
        Box::pin(async move {
            let Self { executor, action, filter, ready } = *self;
            let mut evidence = Evidence::default();
            let mut sent = Sent::default();
            let limit = ready.timeout;
            let call = exchange(&executor, ready, &mut evidence, &mut sent);
            let result = tokio::time::timeout(limit, call).await;
            let result = match result {
                Ok(Ok(body)) => executor.shaper.shape(&action, filter.as_deref(), body).await,
                Ok(Err(failure)) => Err(failure),
                Err(_) => {
                    let message =
                        format!("the remote did not answer within {} ms", limit.as_millis());
                    Err(Failure::passing(Reason::RemoteTimeout, message, sent.effect_of_silence()))
                }
            };
            Performed { evidence, result }
        })
    }
}

/// The whole of the conversation with the remote; what was learned is noted even if it then fails.
async fn exchange(
    executor: &HttpExecutor,
    ready: Ready,
    evidence: &mut Evidence,
    sent: &mut Sent,
) -> Result<Vec<u8>, Failure> {
    let limit = ready.response_bytes_max;
    let response = executor.send(ready, sent).await?;
    let status = response.status();
    evidence.http_status = Some(i32::from(status.as_u16()));
    let headers = response.headers().clone();
    let mut body = Vec::new();
    let read = response::read(response, limit, &mut body).await;
    evidence.response = Some(response::evidence(status, &headers, &body));
    if let Some(failure) = response::refusal(status, &headers) {
        return Err(failure);
    }
    read.map(|()| body)
}

/// What became of a request that got no response.
fn failed(error: &reqwest::Error, sent: &Sent) -> Failure {
    if let Some(refused) = cause::<Refused>(error) {
        return Failure::fatal(Reason::AddressRefused, refused.to_string())
            .with_effect(sent.effect());
    }
    if error.is_builder() {
        return Failure::fatal(Reason::AddressRefused, described(error)).with_effect(sent.effect());
    }
    if error.is_connect() {
        return Failure::passing(Reason::RemoteUnreachable, described(error), sent.effect());
    }
    let reason = if error.is_timeout() { Reason::RemoteTimeout } else { Reason::RemoteUnreachable };
    Failure::passing(reason, described(error), Effect::Unknown)
}

fn cause<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The chain of causes, without the address, which may hold what should not be shown.
fn described(error: &reqwest::Error) -> String {
    let mut text = String::from("the request failed");
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
