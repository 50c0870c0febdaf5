//! Work that goes on beside the calls: begun when the boundary has been found sound, stopped while the calls drain.

use anyhow::{Context, Result, anyhow};
use futures_util::future::BoxFuture;
use std::{future::pending, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Before work that failed is started again.
const RESTART_DELAY: Duration = Duration::from_secs(1);

type Work = BoxFuture<'static, Result<()>>;

pub(crate) enum Task {
    /// Started again whenever it fails.
    Kept(Box<dyn Fn(CancellationToken) -> Work + Send + Sync>),
    /// The service is nothing without it: when it fails, the service ends.
    Essential(Box<dyn FnOnce(CancellationToken) -> Work + Send + Sync>),
}

pub(crate) struct Background {
    stop: CancellationToken,
    tasks: JoinSet<Result<()>>,
}

impl Background {
    /// Begins when `sound` is cancelled.
    pub(crate) fn start(tasks: Vec<(&'static str, Task)>, sound: &CancellationToken) -> Self {
        let stop = CancellationToken::new();
        let mut set = JoinSet::new();
        for (name, task) in tasks {
            let (sound, stop) = (sound.clone(), stop.clone());
            set.spawn(async move {
                tokio::select! {
                    () = sound.cancelled() => {}
                    () = stop.cancelled() => return Ok(()),
                }
                match task {
                    Task::Kept(task) => keep(name, task, stop).await,
                    Task::Essential(task) => {
                        let ended = run(task(stop.clone()), &stop).await;
                        return ended.with_context(|| format!("{name} failed"));
                    }
                }
                Ok(())
            });
        }
        Self { stop, tasks: set }
    }

    /// Resolves when essential work has failed.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                return error;
            }
        }
        pending().await
    }

    /// Asks all to end, and cuts off those that have not by `until`. What they were doing is durable or it is nothing.
    pub(crate) async fn stop(mut self, until: Instant) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(until, ended).await.is_err() {
            tracing::warn!("background work still goes on at the end of the grace; it is cut off");
        }
    }
}

async fn keep(
    name: &'static str,
    task: Box<dyn Fn(CancellationToken) -> Work + Send + Sync>,
    stop: CancellationToken,
) {
    while let Err(error) = run(task(stop.clone()), &stop).await {
        tracing::error!(name, error = %format_args!("{error:#}"), "background work failed");
        tokio::select! {
            () = tokio::time::sleep(RESTART_DELAY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Runs work in a task of its own, so that a panic ends that and not this. It may only end when it was asked to.
async fn run(work: Work, stop: &CancellationToken) -> Result<()> {
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(Ok(())) if !stop.is_cancelled() => Err(anyhow!("it ended by itself")),
        Ok(ended) => ended,
        Err(panic) => Err(panic.into()),
    }
}
