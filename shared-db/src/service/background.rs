//! Work that goes on beside the calls: begun when the boundary has been found sound, stopped while the calls drain.

use anyhow::{Context, Result, anyhow};
use futures_util::future::BoxFuture;
use std::{future::pending, time::Duration};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Before work that failed is started again.
const RESTART_DELAY: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1000 });

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    fn sound() -> CancellationToken {
        let sound = CancellationToken::new();
        sound.cancel();
        sound
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn work_that_panics_or_fails_or_ends_is_started_again() {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = runs.clone();
        let task = Task::Kept(Box::new(move |stop| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match run {
                    0 => panic!("as asked"),
                    1 => Err(anyhow!("as asked")),
                    2 => Ok(()),
                    _ => {
                        stop.cancelled().await;
                        Ok(())
                    }
                }
            })
        }));
        let background = Background::start(vec![("odd", task)], &sound());
        while runs.load(Ordering::Relaxed) < 4 {
            tokio::time::sleep(RESTART_DELAY).await;
        }
        background.stop(soon()).await;
    }

    #[tokio::test]
    async fn essential_work_that_ends_by_itself_is_a_failure() {
        let task = Task::Essential(Box::new(|_| Box::pin(async { Ok(()) })));
        let mut background = Background::start(vec![("engine", task)], &sound());
        let error = format!("{:#}", background.failed().await);
        assert_eq!(error, "engine failed: it ended by itself");
    }

    #[tokio::test]
    async fn nothing_begins_before_the_boundary_is_sound_and_nothing_holds_up_a_stop() {
        let task = Task::Essential(Box::new(|_| Box::pin(async { panic!("it began") })));
        let mut background = Background::start(vec![("engine", task)], &CancellationToken::new());
        let failed = tokio::time::timeout(RESTART_DELAY, background.failed()).await;
        assert!(failed.is_err());
        background.stop(soon()).await;

        let task = Task::Essential(Box::new(|_| Box::pin(pending())));
        let mut background = Background::start(vec![("engine", task)], &sound());
        drop(tokio::time::timeout(RESTART_DELAY, background.failed()).await);
        let begun = Instant::now();
        background.stop(begun + Duration::from_millis(200)).await;
        assert!((200..5000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }
}
