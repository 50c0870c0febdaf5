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
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};
use tracing::Span;

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
    /// Wakes at the deadline; there once something has to be waited for.
    alarm: Option<Pin<Box<Sleep>>>,
    /// There for streams.
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
            alarm: None,
            closing: hold.closing.map(|it| Box::pin(it.cancelled_owned())),
            ended: false,
        }
    }

    /// Why the body must end now, if it must.
    fn interrupted(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        if self.deadline.is_some_and(|at| at <= Instant::now()) {
            return Some(self.record.span.in_scope(|| Error::DeadlineExceeded.into()));
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
        let polled = panic::caught_step(step).unwrap_or_else(|it| Poll::Ready(Some(Err(it))));
        if polled.is_pending()
            && let Some(at) = self.deadline
        {
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        polled
    }

    fn end(&mut self, mut trailers: HeaderMap) -> Frame<Bytes> {
        self.ended = true;
        let code = status_details::complete(&mut trailers, &self.record.span);
        let code = code.unwrap_or(Code::Unknown);
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
        // The one message of other calls is only encoded here.
        let span = self.closing.is_some().then(|| self.record.span.clone());
        let _entered = span.as_ref().map(Span::enter);
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
