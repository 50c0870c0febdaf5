//! Watching an execution: its events from the table, in order, until the final one.
//!
//! A watch holds no connection while it waits, and no more of the events than a batch.

use clap::Args;
use common_api::types::ExecutionEvent;
use futures_util::{Stream, StreamExt, stream};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{ExecutionId, OrganizationId, UserId},
    read::executions::{self, Progress},
    scope::{Db, Scope},
    service::{config::duration, deadline},
};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Events that are read at a time.
const BATCH: i64 = 100;

/// Events that wait for the reader.
const QUEUE: usize = 100;

/// How long a watch waits before it looks again: longer with each time that it finds nothing.
const WAIT_MIN: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Watching executions")]
pub struct WatchConfig {
    /// How long events wait for a reader that takes none before its watch is closed
    #[arg(long, env = "FREEHOLD_WATCH_READER_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub watch_reader_timeout: Duration,
}

/// What is watched, and for whom.
#[derive(Clone, Debug)]
pub struct Watch {
    pub db: Db,
    pub org: OrganizationId,
    pub user: Option<UserId>,
    pub id: ExecutionId,
    /// The next `seq` wanted.
    pub next: i64,
    pub config: WatchConfig,
    /// Ends the watch: the service stops.
    pub stop: CancellationToken,
}

impl Watch {
    /// Fails at once if there is no such execution; then streams until the final event, the caller's deadline, or an error.
    pub async fn start(self) -> Result<impl Stream<Item = Result<ExecutionEvent>> + use<>> {
        let mut tx = self.db.begin(Scope::Tenant(self.org, self.user)).await?;
        executions::progress(&mut tx, self.org, self.id).await?;
        drop(tx);
        let (events, queue) = mpsc::channel(QUEUE);
        let (outcome, end) = oneshot::channel();
        let until = deadline::current();
        let work = async move {
            let done = deadline::with(until, self.run(&events)).await;
            // The queue ends before the outcome is read, so the error comes after every event.
            drop(events);
            drop(outcome.send(done));
        };
        tokio::spawn(work.in_current_span());
        let end = stream::once(end).filter_map(async |done| match done {
            Ok(Err(error)) => Some(Err(error)),
            Ok(Ok(())) | Err(_) => None,
        });
        Ok(ReceiverStream::new(queue).map(Ok).chain(end))
    }

    async fn run(mut self, events: &mpsc::Sender<ExecutionEvent>) -> Result<()> {
        let mut wait = WAIT_MIN;
        loop {
            let (progress, batch) = self.look().await?;
            if !batch.is_empty() {
                wait = WAIT_MIN;
            }
            for event in batch {
                let seq = event.seq;
                if !self.hand_over(events, event).await? {
                    return Ok(());
                }
                self.next = seq + 1;
            }
            if progress.last_event_seq < self.next {
                if progress.state.is_final() || !self.pause(events, wait).await? {
                    return Ok(());
                }
                wait = (wait * 2).min(WAIT_MAX);
            }
        }
    }

    /// How far the execution is, and the next events. The transaction is over when this returns.
    async fn look(&self) -> Result<(Progress, Vec<ExecutionEvent>)> {
        let mut tx = self.db.begin(Scope::Tenant(self.org, self.user)).await?;
        let progress = executions::progress(&mut tx, self.org, self.id).await?;
        if progress.last_event_seq < self.next {
            return Ok((progress, Vec::new()));
        }
        let events = executions::events(&mut tx, self.org, self.id, self.next, BATCH).await?;
        Ok((progress, events))
    }

    /// `false` when the reader has gone.
    async fn hand_over(
        &self,
        events: &mpsc::Sender<ExecutionEvent>,
        event: ExecutionEvent,
    ) -> Result<bool> {
        tokio::select! {
            sent = events.send_timeout(event, self.config.watch_reader_timeout) => match sent {
                Ok(()) => Ok(true),
                Err(mpsc::error::SendTimeoutError::Closed(_)) => Ok(false),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    Err(Error::WatchTooSlow { last_seq: self.next - 1 })
                },
            },
            error = self.interruption() => Err(error),
        }
    }

    /// Waits before the next look. `false` when the reader has gone.
    async fn pause(&self, events: &mpsc::Sender<ExecutionEvent>, wait: Duration) -> Result<bool> {
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(true),
            () = events.closed() => Ok(false),
            error = self.interruption() => Err(error),
        }
    }

    /// What ends a watch before its execution has ended.
    async fn interruption(&self) -> Error {
        let late = async {
            match deadline::current() {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = late => Error::DeadlineExceeded,
            () = self.stop.cancelled() => Error::Unavailable {
                reason: Reason::NotServing,
                problem: "the service is stopping; watch again from the next seq".into(),
            },
        }
    }
}
