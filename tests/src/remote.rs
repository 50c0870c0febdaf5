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
//! | `/work?ms=50&fail=0` | as the mood of the remote is: waits and echoes, or is slow, fails, hangs or resets; `fail` as of `/flaky` |
//! | `/mcp` | a server of tools ([`mcp`] says which), with sessions; `?stream=1` answers in events, `?version=…` in that version |
//! | `/hang` | takes the request and never answers |
//! | `/reset` | takes the request and resets the connection |

mod behaviour;
mod http1;
mod mcp;

pub use http1::Seen;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{net::TcpListener, task::AbortHandle};

/// What it calls itself.
pub const SERVER: &str = "freehold-test-remote (stands for a SaaS, is none)";

/// How `/work` is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Well,
    Slow,
    Failing,
    /// Requests are taken and never answered.
    Hanging,
    /// Requests are taken and their connections reset.
    Resetting,
}

/// What the connections of a remote share.
#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Vec<Seen>>,
    mood: Mutex<Mood>,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.log.lock().expect("no holder panics")
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().expect("no holder panics")
    }

    /// The number of a new request.
    fn note(&self, request: Seen) -> usize {
        let mut log = self.log();
        log.push(request);
        log.len() - 1
    }

    fn amend(&self, number: usize, change: impl FnOnce(&mut Seen)) {
        change(&mut self.log()[number]);
    }

    /// How often one and the same request has arrived, this time counted.
    fn times_seen(&self, request: &Seen) -> u64 {
        let log = self.log();
        let same = log.iter().filter(|it| {
            (&it.path, &it.query) == (&request.path, &request.query)
                && it.idempotency_key() == request.idempotency_key()
        });
        same.count() as u64
    }
}

/// A running remote. It stops when this is dropped.
#[derive(Debug)]
pub struct Remote {
    pub address: SocketAddr,
    shared: Arc<Shared>,
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
        let shared = Arc::<Shared>::default();
        let of_connections = shared.clone();
        let task = tokio::spawn(async move {
            // Connections end with the server: the set aborts them when it is dropped.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(http1::serve(stream, of_connections.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, shared, task: task.abort_handle() }
    }

    /// The address of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.log().clone()
    }

    /// How many requests have neither been answered nor given up.
    pub fn under_way(&self) -> usize {
        self.shared.log().iter().filter(|it| it.answered.is_none() && it.cut.is_none()).count()
    }

    /// From now on `/work` is answered like this.
    pub fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().expect("no holder panics") = mood;
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
