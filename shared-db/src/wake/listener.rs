//! Takes hints in, on a connection of its own that comes back when it is lost.
//!
//! Behind a transaction pooler LISTEN succeeds and nothing ever arrives, and a connection that the network has forgotten is just
//! as silent. So the listener sends itself an echo by way of the pool, now and then: it is live for as long as the echo returns.

use super::{Gathered, Hint, Wake, send};
use crate::{ids::WorkerId, scope::Db};
use anyhow::{Result, bail};
use sqlx::{
    ConnectOptions,
    postgres::{PgListener, PgPoolOptions},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How often the listener asks itself whether it hears, and how long it waits to hear it.
const ECHO_INTERVAL: Duration = Duration::from_secs(30);
const ECHO_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins the payload of an echo; no id does.
const ECHO: &str = "echo:";

/// Before a lost connection is made anew; twice as long each time until it is live again.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Hears hints in [`Listener::run`]; whoever waits for them asks [`Listener::next`]. Clones are one.
#[derive(Clone, Debug)]
pub struct Listener<T: Hint> {
    db: Db,
    echo_interval: Duration,
    echo_timeout: Duration,
    heard: Arc<Gathered<T>>,
    live: Arc<AtomicBool>,
}

impl<T: Hint> Listener<T> {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            echo_interval: ECHO_INTERVAL,
            echo_timeout: ECHO_TIMEOUT,
            heard: Arc::new(Gathered::new()),
            live: Arc::default(),
        }
    }

    /// One that notices sooner, or later, that it does not hear.
    #[must_use]
    pub fn with_echo(self, interval: Duration, timeout: Duration) -> Self {
        Self { echo_interval: interval, echo_timeout: timeout, ..self }
    }

    /// Waits for hints, and returns all that have come since the last time. For one who waits: two would share the hints.
    /// Nothing is lost when this is dropped while it waits.
    pub async fn next(&self) -> Wake<T> {
        self.heard.next().await
    }

    /// Whether hints do arrive, as far as was last known. Where they do not, look at the tables more often.
    pub fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    /// Listens until `stop`. It never fails: without it everything works, a little later.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let mut wait = RETRY_MIN;
        loop {
            let ended = tokio::select! {
                ended = self.listen() => ended,
                () = stop.cancelled() => return Ok(()),
            };
            let error = ended.err().map(|it| format!("{it:#}"));
            if self.live.swap(false, Ordering::Relaxed) {
                tracing::warn!(channel = T::CHANNEL, error, "hints do not arrive any more");
                wait = RETRY_MIN;
            } else {
                tracing::debug!(channel = T::CHANNEL, error, "hints do not arrive");
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Listens for as long as the connection lasts and the echo returns.
    async fn listen(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        let mut asked = None;
        let mut timer = Instant::now();
        loop {
            tokio::select! {
                heard = connection.try_recv() => match heard? {
                    None => bail!("the connection was lost"),
                    Some(it) if asked.as_deref() == Some(it.payload()) => {
                        asked = None;
                        timer = Instant::now() + self.echo_interval;
                        self.has_heard_itself();
                    }
                    Some(it) if it.payload().starts_with(ECHO) => {}
                    Some(it) => self.heard.add(Wake::from_payload(it.payload())),
                },
                () = sleep_until(timer) => {
                    if asked.is_some() {
                        bail!("the echo did not return");
                    }
                    asked = Some(self.ask_itself());
                    timer = Instant::now() + self.echo_timeout;
                }
            }
        }
    }

    /// A connection of its own, which listens.
    async fn connect(&self) -> Result<PgListener> {
        let options = self.db.pool().connect_options();
        let name = format!("{} {}", self.db.service().name(), T::CHANNEL);
        let options = options.clone().application_name(&name);
        let one = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options.disable_statement_logging());
        let mut connection = PgListener::connect_with(&one).await?;
        connection.eager_reconnect(false);
        connection.listen(T::CHANNEL).await?;
        Ok(connection)
    }

    /// Sends an echo and returns its payload. By way of the pool: what a connection sends itself proves nothing of others. In a
    /// task of its own, since the pool may make it wait, and hints should not.
    fn ask_itself(&self) -> String {
        let (db, payload) = (self.db.clone(), format!("{ECHO}{}", WorkerId::generate()));
        let sent = payload.clone();
        tokio::spawn(async move {
            if let Err(error) = send(&db, T::CHANNEL, &sent).await {
                tracing::debug!(%error, channel = T::CHANNEL, "the echo was not sent");
            }
        });
        payload
    }

    fn has_heard_itself(&self) {
        if !self.live.swap(true, Ordering::Relaxed) {
            tracing::info!(channel = T::CHANNEL, "hints arrive");
            // What was hinted before may have been missed.
            self.heard.add(Wake::Everything);
        }
    }
}
