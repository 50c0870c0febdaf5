//! Work that goes on beside the calls: started with the service, started again when it fails, stopped after the calls.

use anyhow::Result;
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// Before work that failed is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

pub(crate) type Task =
    Box<dyn Fn(CancellationToken) -> BoxFuture<'static, Result<()>> + Send + Sync>;

pub(crate) struct Background {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Background {
    pub(crate) fn start(tasks: Vec<(&'static str, Task)>) -> Self {
        let stop = CancellationToken::new();
        let mut set = JoinSet::new();
        for (name, task) in tasks {
            set.spawn(keep(name, task, stop.clone()));
        }
        Self { stop, tasks: set }
    }

    /// Asks all to end, and cuts off those that have not by `until`. What they were doing is durable or it is nothing.
    pub(crate) async fn stop(mut self, until: Instant) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(until, ended).await.is_err() {
            tracing::warn!(
                "background work was still going on at the end of the grace; it is cut off"
            );
        }
    }
}

async fn keep(name: &'static str, task: Task, stop: CancellationToken) {
    while !stop.is_cancelled() {
        // In a task of its own, so that a panic ends that and not this. Dropped with this one.
        let run = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(task(stop.clone())));
        match run.await {
            Ok(Ok(())) if stop.is_cancelled() => return,
            Ok(Ok(())) => tracing::error!(name, "background work ended by itself"),
            Ok(Err(error)) => {
                tracing::error!(name, error = %format_args!("{error:#}"), "background work failed");
            }
            Err(error) => tracing::error!(name, %error, "background work panicked"),
        }
        tokio::select! {
            () = tokio::time::sleep(RESTART_DELAY) => {}
            () = stop.cancelled() => return,
        }
    }
}
