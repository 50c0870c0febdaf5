//! Watchers: they go on where they were, at another replica each time.

use super::caller::{Callers, Refusal};
use common_api::types::EventType;
use std::time::Duration;
use tokio::time::timeout;
use tonic::Status;
use web_api::v1::{WatchExecutionRequest, WatchExecutionResponse};

/// A stream that says nothing for this long is left: it may lead to a process that is frozen.
const SILENCE_MAX: Duration = Duration::from_secs(4);
const RECONNECT_DELAY: Duration = Duration::from_millis(50);

/// What a watcher was told, over all its connections.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// In the order in which they came.
    pub events: Vec<(i64, EventType)>,
    pub connections: usize,
    /// A stream ended by itself, which says that there is nothing more.
    pub ended: bool,
    pub refusals: Vec<Refusal>,
}

pub(super) async fn watch(callers: &Callers, id: &str) -> Watched {
    let mut watched = Watched::default();
    // What was told before is kept when patience ends.
    let watching = async {
        while !watched.ended {
            watched.connections += 1;
            if let Err(status) = follow(callers, id, &mut watched).await {
                watched.refusals.push(Refusal::of(&status));
                tokio::time::sleep(RECONNECT_DELAY).await;
            }
        }
    };
    drop(timeout(callers.patience, watching).await);
    watched
}

/// One connection, to its end.
async fn follow(callers: &Callers, id: &str, watched: &mut Watched) -> Result<(), Status> {
    let from_seq = watched.events.last().map_or(0, |it| it.0 + 1);
    let mut executions = callers.next().executions();
    let request = WatchExecutionRequest { id: id.to_owned(), from_seq };
    let stream = timeout(SILENCE_MAX, executions.watch_execution(request)).await;
    let mut stream = stream.map_err(|_| silent())??.into_inner();
    loop {
        let next = timeout(SILENCE_MAX, stream.message()).await.map_err(|_| silent())??;
        let Some(WatchExecutionResponse { event, .. }) = next else {
            watched.ended = true;
            return Ok(());
        };
        let event = event.unwrap_or_default();
        watched.events.push((event.seq, event.r#type()));
    }
}

fn silent() -> Status {
    Status::deadline_exceeded("the watch was silent")
}
