//! The replicas of runtime-service that can be called now.
//!
//! A command goes to the one of two drawn that has fewer under way: a replica that falls silent collects few, and what nobody could
//! connect to is not among them. What a connection has not begun to send when it ends goes to another one.

use super::connection::Connection;
use opentelemetry::metrics::UpDownCounter;
use shared_db::service::metrics::meter;
use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::{Notify, watch};
use tonic::{Status, body::Body};

type BoxError = Box<dyn StdError + Send + Sync>;
type Response = http::Response<hyper::body::Incoming>;

/// All of them, as one that can be called. Clones are the same.
#[derive(Clone)]
pub(super) struct Replicas {
    set: Arc<watch::Sender<Set>>,
    /// Told whenever a call finds nobody.
    missed: Arc<Notify>,
    connected: UpDownCounter<i64>,
}

#[derive(Default)]
struct Set {
    up: Vec<Replica>,
    /// Attempts to find or reach one, after which there may be more. Calls wait for them when nobody is there.
    awaited: usize,
    next_id: u64,
}

#[derive(Clone)]
struct Replica {
    id: u64,
    connection: Connection,
    /// One more for each call under way.
    calls: Arc<()>,
}

impl Replicas {
    pub(super) fn new() -> Self {
        let connected = meter()
            .i64_up_down_counter("freehold.runtime.connections")
            .with_description("Replicas of runtime-service that web-service is connected to")
            .build();
        Self { set: Arc::default(), missed: Arc::default(), connected }
    }

    /// Makes calls wait that find nobody, until the value is dropped.
    pub(super) fn awaited(&self) -> Awaited {
        self.set.send_modify(|set| set.awaited += 1);
        Awaited(self.clone())
    }

    /// Takes a connection in, until the value is dropped or the connection ends.
    pub(super) fn enter(&self, connection: Connection) -> Entered {
        let mut id = 0;
        self.set.send_modify(|set| {
            id = set.next_id;
            set.next_id += 1;
            set.up.push(Replica { id, connection, calls: Arc::default() });
        });
        self.connected.add(1, &[]);
        Entered { replicas: self.clone(), id }
    }

    fn leave(&self, id: u64) {
        self.set.send_modify(|set| set.up.retain(|it| it.id != id));
    }

    async fn pick(&self) -> Result<Replica, Unsent> {
        let mut set = self.set.subscribe();
        let set = set.wait_for(|it| !it.up.is_empty() || it.awaited == 0).await;
        // The sender is our own.
        let drawn = set.ok().and_then(|it| draw(&it.up).cloned());
        drawn.ok_or_else(|| {
            self.missed.notify_waiters();
            Unsent("no replica of runtime-service can be reached".into())
        })
    }

    /// Waits until a call finds nobody.
    pub(super) async fn missed(&self) {
        self.missed.notified().await;
    }

    async fn send(self, mut request: http::Request<Body>) -> Result<Response, BoxError> {
        loop {
            let replica = self.pick().await?;
            let mut error = match replica.connection.send(request).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let Some(unsent) = error.take_message() else {
                let error = error.into_error();
                let unsent = is_unprocessed(&error);
                return Err(if unsent { Unsent(error.into()).into() } else { error.into() });
            };
            self.leave(replica.id);
            request = unsent;
        }
    }
}

/// The better of two.
fn draw(up: &[Replica]) -> Option<&Replica> {
    let amount = up.len().min(2);
    let drawn = rand::seq::index::sample(&mut rand::rng(), up.len(), amount);
    drawn.iter().map(|it| &up[it]).min_by_key(|it| Arc::strong_count(&it.calls))
}

pub(super) struct Awaited(Replicas);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.set.send_modify(|set| set.awaited -= 1);
    }
}

pub(super) struct Entered {
    replicas: Replicas,
    id: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.replicas.leave(self.id);
        self.replicas.connected.add(-1, &[]);
    }
}

/// A request that no replica has seen: whatever it asks for, it can be sent again.
#[derive(Debug)]
struct Unsent(BoxError);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not sent: {}", self.0)
    }
}

impl StdError for Unsent {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// Whether nobody has seen the request that this became of.
pub(super) fn is_unsent(status: &Status) -> bool {
    status.source().is_some_and(<dyn StdError>::is::<Unsent>)
}

/// Whether the peer has said that it did not look at the request: by refusing the stream, or by leaving before it.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let h2 = error.source().and_then(|it| it.downcast_ref::<h2::Error>());
    h2.is_some_and(|it| {
        let left = it.is_go_away() && it.reason() == Some(h2::Reason::NO_ERROR);
        let refused = it.is_reset() && it.reason() == Some(h2::Reason::REFUSED_STREAM);
        it.is_remote() && (left || refused)
    })
}

impl tower::Service<http::Request<Body>> for Replicas {
    type Response = Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
