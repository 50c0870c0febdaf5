//! What stands around every handler.

use super::{
    auth::{Authenticate, Call, authorize},
    methods::Methods,
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
use tonic::{Code, Status, body::Body, service::Routes};
use tower::Service;

#[derive(Clone)]
pub(crate) struct Around<A> {
    pub(crate) inner: Routes,
    pub(crate) authenticate: A,
    pub(crate) methods: Arc<Methods>,
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
        Box::pin(
            async move { Ok(around.answer(request).await.unwrap_or_else(|it| it.into_http())) },
        )
    }
}

impl<A: Authenticate> Around<A> {
    async fn answer(mut self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let path = request.uri().path();
        if !path.starts_with("/grpc.health.v1.") && !path.starts_with("/grpc.reflection.") {
            let unknown = || {
                status(
                    Code::Unimplemented,
                    Reason::MethodUnknown,
                    format!("there is no method {path}"),
                )
            };
            let method = self.methods.get(path).cloned().ok_or_else(unknown)?;
            let headers = std::mem::take(request.headers_mut());
            let call = Call { method, headers, peer: Vec::new() };
            let caller = self.authenticate.authenticate(&call).await?;
            authorize(&caller, &call.method)?;
            *request.headers_mut() = call.headers;
            request.extensions_mut().insert(caller);
        }
        let response = self.inner.call(request).await;
        Ok(response.unwrap_or_else(|never| match never {}))
    }
}
