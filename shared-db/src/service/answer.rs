//! The body of a response on its way out: whatever ends it, it ends with a status that carries its details.

use super::{deadline, panic, status_details, trace::Record};
use crate::error::{Error, Reason};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

/// What holds for a call until the last of its response.
#[derive(Default)]
pub(crate) struct Hold {
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) deadline: Option<Instant>,
    /// Of streams: the service is stopping.
    pub(crate) closing: Option<CancellationToken>,
}

pub(crate) struct Answer {
    inner: Body,
    record: Record,
    _permit: Option<OwnedSemaphorePermit>,
    deadline: Option<Instant>,
    expired: Option<Pin<Box<Sleep>>>,
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
}

impl Answer {
    pub(crate) fn new(inner: Body, record: Record, hold: Hold) -> Self {
        Self {
            inner,
            record,
            _permit: hold.permit,
            deadline: hold.deadline,
            expired: hold.deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
            closing: hold.closing.map(|it| Box::pin(it.cancelled_owned())),
            ended: false,
        }
    }

    /// Why the body must end now, if it must.
    fn interrupted(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        let expired = self.expired.as_mut().is_some_and(|it| it.as_mut().poll(cx).is_ready());
        if expired {
            return Some(Error::DeadlineExceeded.into());
        }
        let closing = self.closing.as_mut().is_some_and(|it| it.as_mut().poll(cx).is_ready());
        closing.then(|| {
            let problem = "this replica is stopping; go on at another one";
            Error::Unavailable { reason: Reason::NotServing, problem: problem.into() }.into()
        })
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let inner = Pin::new(&mut self.inner);
        let step = || deadline::with_sync(self.deadline, || inner.poll_frame(cx));
        panic::caught_step(step).unwrap_or_else(|status| Poll::Ready(Some(Err(status))))
    }

    fn end(&mut self, mut trailers: HeaderMap) -> Frame<Bytes> {
        self.ended = true;
        let code = status_details::complete(&mut trailers).unwrap_or(Code::Unknown);
        self.record.close(code);
        Frame::trailers(trailers)
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let span = self.record.span.clone();
        let _entered = span.enter();
        if let Some(status) = self.interrupted(cx) {
            return Poll::Ready(Some(Ok(self.end(status_details::trailers(&status)))));
        }
        let frame = match ready!(self.poll_inner(cx)) {
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
            Some(Err(status)) => self.end(status_details::trailers(&status)),
            Some(Ok(frame)) => match frame.into_trailers() {
                Ok(trailers) => self.end(trailers),
                Err(data) => data,
            },
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
