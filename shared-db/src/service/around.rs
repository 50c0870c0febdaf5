//! What stands around every handler, outermost first: trace, catch panic, health and shed, deadline, authenticate, authorize.

use super::{
    answer::{Answer, Hold},
    auth::{Authenticate, Call, authorize},
    config::Limits,
    deadline,
    health::Health,
    methods::{Method, Methods},
    panic,
    shed::Shed,
    status_details, tls,
    trace::Record,
};
use crate::error::{Reason, status};
use http::{Request, Response};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::Service;
use tracing::{Instrument, field, record_all};

/// The handlers of a service with all that stands around them.
#[derive(Clone)]
pub(crate) struct Around<A> {
    pub(crate) inner: Routes,
    pub(crate) authenticate: A,
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) methods: Methods,
    pub(crate) health: Health,
    pub(crate) shed: Shed,
    pub(crate) limits: Limits,
    /// Ends streams when the service drains.
    pub(crate) closing: CancellationToken,
}

impl<A: Authenticate> Service<Request<Body>> for Around<A> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let around = self.clone();
        Box::pin(async move { Ok(around.answer(request).await) })
    }
}

impl<A: Authenticate> Around<A> {
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let method = self.shared.methods.get(request.uri().path()).cloned();
        let mut record = Record::open(method.clone(), request.headers());

        let mut hold = Hold::default();
        // On the heap at once: what is wrapped around it would else move it.
        let handled = panic::caught(Box::pin(self.handle(request, method, &mut hold)));
        let response =
            handled.instrument(record.span.clone()).await.unwrap_or_else(Status::into_http);

        let (mut parts, body) = response.into_parts();
        // An error that came without any message has its status in the headers, and is over.
        if let Some(code) = status_details::complete(&mut parts.headers, &record.span) {
            record.close(code);
        }
        Response::from_parts(parts, Body::new(Answer::new(body, record, hold)))
    }

    async fn handle(
        mut self,
        mut request: Request<Body>,
        method: Option<Arc<Method>>,
        hold: &mut Hold,
    ) -> Result<Response<Body>, Status> {
        let shared = self.shared.clone();
        let Some(method) = method else {
            let problem = format!(
                "there is no method {}; list the methods by reflection",
                request.uri().path()
            );
            return Err(status(Code::Unimplemented, Reason::MethodUnknown, problem));
        };
        if method.least_role.is_some() {
            shared.health.admit()?;
            hold.permit = Some(shared.shed.enter(&method)?);
        }
        hold.closing = method.streams.then(|| shared.closing.clone());
        hold.deadline = deadline::of(request.headers(), &method, &shared.limits)?;
        deadline::within(hold.deadline, async move {
            if method.least_role.is_some() {
                self.admit(&mut request, method).await?;
            }
            Ok(self.inner.call(request).await.unwrap_or_else(|never| match never {}))
        })
        .await
    }

    /// Puts the caller into the request's extensions, if it may call the method.
    async fn admit(&self, request: &mut Request<Body>, method: Arc<Method>) -> Result<(), Status> {
        let peer = tls::peer_names(request.extensions());
        let call = Call { method, headers: std::mem::take(request.headers_mut()), peer };
        let caller = self.authenticate.authenticate(&call).await?;
        record_all!(
            tracing::Span::current(),
            freehold.organization = caller.org.map(field::display),
            freehold.user = caller.user.map(field::display),
        );
        authorize(&caller, &call.method)?;
        *request.headers_mut() = call.headers;
        request.extensions_mut().insert(caller);
        Ok(())
    }
}
