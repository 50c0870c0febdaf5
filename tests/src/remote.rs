//! A small real HTTP server that stands for a SaaS in tests. It is not one, and says so in its `Server` header.
//!
//! What it does is scripted by the path of the request, and each request is logged with its `Idempotency-Key` and time of
//! arrival: a witness that is independent of what the services say of themselves.
//!
//! | path | what it does |
//! |---|---|
//! | `/echo` | answers with the request as JSON |
//! | `/status/503` | answers with that status (`?retry_after=2` adds the header) |
//! | `/slow?ms=200` | waits, then echoes |
//! | `/flaky?fail=2` | answers 503 that often to one and the same request (by target and Idempotency-Key), then echoes |
//! | `/big?bytes=1000` | a JSON string of that many bytes |
//! | `/redirect?to=/echo` | redirects there; `/loop` redirects to itself |
//! | `/not-json` | an HTML page |
//! | `/hang` | takes the request and never answers |
//! | `/reset` | takes the request and resets the connection |

mod behaviour;
mod http1;

pub use http1::Seen;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::AbortHandle};

/// What it calls itself.
pub const SERVER: &str = "freehold-test-remote (stands for a SaaS, is none)";

type Log = Arc<Mutex<Vec<Seen>>>;

/// A running remote. It stops when this is dropped.
#[derive(Debug)]
pub struct Remote {
    pub address: SocketAddr,
    log: Log,
    task: AbortHandle,
}

impl Remote {
    /// On a free port of the loopback address.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        Self::serve(listener)
    }

    /// On a listener that the caller has bound.
    pub fn serve(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let log = Log::default();
        let seen = log.clone();
        let task = tokio::spawn(async move {
            // Connections end with the server: the set aborts them when it is dropped.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let log = seen.clone();
                connections.spawn(http1::serve(stream, log));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, log, task: task.abort_handle() }
    }

    /// The address of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.log.lock().expect("no holder panics").clone()
    }

    /// The requests for `path`, whatever their query.
    pub fn requests_to(&self, path: &str) -> Vec<Seen> {
        self.requests().into_iter().filter(|it| it.path == path).collect()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}
