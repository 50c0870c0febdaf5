//! Watching executions: their events in order until the final one, and waiting for that.
//!
//! However many watch an execution, it is read once: a [`Hub`] of this process knows how far each watched execution has
//! come, and what it has read is shared. A watch holds no connection while it waits, no task, and no more of the events than a
//! batch, which is the same for all who stand where it stands.

pub mod hub;
mod metrics;
mod reader;
mod subject;

use clap::Args;
use common_api::types::ExecutionEvent;
use futures_util::{Stream, stream};
use hub::{Hub, Member};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{ExecutionId, OrganizationId},
    service::{config::duration, deadline},
};
use std::{sync::Arc, time::Duration};
use subject::{Batch, Known};
use tokio::{sync::watch::Receiver, time::Instant};

/// Of a call that waits, this is left for its answer: a tenth of its time, at most this.
const ANSWER_MARGIN_MAX: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Watching executions")]
pub struct WatchConfig {
    /// How long events wait for a reader that takes none before its watch is closed
    #[arg(long, env = "FREEHOLD_WATCH_READER_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub watch_reader_timeout: Duration,
}

/// Streams the events of an execution from `next` on, until the final one, the caller's deadline, or an error. Fails at once if
/// there is no such execution, or if its events are not kept from there on.
pub async fn watch(
    hub: &Hub,
    org: OrganizationId,
    id: ExecutionId,
    next: i64,
    config: WatchConfig,
) -> Result<impl Stream<Item = Result<ExecutionEvent>> + use<>> {
    let member = hub.join(org, id).await?;
    let known = member.subject.subscribe();
    let batch =
        if next <= known.borrow().last { Some(member.subject.batch(next).await?) } else { None };
    let patience = config.watch_reader_timeout;
    let watch = Watch { member, known, batch, next, given: None, patience };
    Ok(stream::try_unfold(watch, Watch::step))
}

/// Waits until an execution is final, or until `timeout` or nearly all of the caller's time has passed.
pub async fn wait(
    hub: &Hub,
    org: OrganizationId,
    id: ExecutionId,
    timeout: Option<Duration>,
) -> Result<()> {
    let _place = hub.enter_waiting()?;
    let allowed =
        deadline::remaining().map(|it| it.saturating_sub((it / 10).min(ANSWER_MARGIN_MAX)));
    let now = Instant::now();
    let until = [timeout, allowed].into_iter().flatten().filter_map(|it| now.checked_add(it)).min();
    let member = hub.join(org, id).await?;
    let mut known = member.subject.subscribe();
    loop {
        if let Some(end) = known.borrow_and_update().end {
            return end.outcome(id);
        }
        let late = async {
            match until {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Its other end is held by `member`.
            _ = known.changed() => {}
            () = late => return Ok(()),
            () = hub.stopping() => return Err(stopping()),
        }
    }
}

/// One who watches. It is a stream's state: it does something only when the reader asks for the next event.
struct Watch {
    member: Member,
    known: Receiver<Known>,
    batch: Option<Arc<Batch>>,
    /// The next `seq` wanted.
    next: i64,
    /// When the reader was given an event.
    given: Option<Instant>,
    patience: Duration,
}

impl Watch {
    /// The next event, as soon as there is one. `None` after the final one.
    async fn step(mut self) -> Result<Option<(ExecutionEvent, Self)>> {
        if self.is_too_slow() {
            return Err(Error::WatchTooSlow { last_seq: self.next - 1 });
        }
        loop {
            if self.member.hub.is_stopping() {
                return Err(stopping());
            }
            if let Some(event) = self.batch.as_ref().and_then(|it| it.get(self.next)) {
                let event = event.clone();
                self.next = event.seq + 1;
                self.given = Some(Instant::now());
                return Ok(Some((event, self)));
            }
            // Nobody who waits holds on to what has been given.
            self.batch = None;
            let known = *self.known.borrow_and_update();
            if self.next <= known.last {
                // Boxed: rare beside waiting, and much larger.
                self.batch = Some(Box::pin(self.member.subject.batch(self.next)).await?);
            } else if let Some(end) = known.end {
                return end.outcome(self.member.subject.id).map(|()| None);
            } else {
                tokio::select! {
                    // Its other end is held by `member`.
                    _ = self.known.changed() => {}
                    () = self.member.hub.stopping() => {}
                }
            }
        }
    }

    /// Whether events have waited for the reader for longer than they should.
    fn is_too_slow(&mut self) -> bool {
        let late = self.given.take().is_some_and(|at| self.patience < at.elapsed());
        late && self.next <= self.known.borrow().last
    }
}

fn stopping() -> Error {
    Error::Unavailable {
        reason: Reason::NotServing,
        problem: "the service is stopping; watch again from the next seq".into(),
    }
}
