//! A steady load: some callers who call one after the other, and what became of each call.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

const PATIENCE: Duration = Duration::from_mins(1);

/// Callers at work. They stop with this value.
#[derive(Debug)]
pub struct Steady {
    outcome: Arc<Outcome>,
    stop: CancellationToken,
    callers: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Outcome {
    answered: AtomicUsize,
    refused: Mutex<Vec<Status>>,
}

impl Steady {
    /// Each caller has a number, and so has each of its calls. Between two calls it rests for `pause`.
    pub fn start<F>(
        callers: usize,
        pause: Duration,
        call: impl Fn(usize, usize) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send,
    {
        let (outcome, stop) = (Arc::<Outcome>::default(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (outcome, stop, call) = (outcome.clone(), stop.clone(), call.clone());
            tasks.spawn(async move {
                for turn in 0.. {
                    if stop.is_cancelled() {
                        return;
                    }
                    match call(caller, turn).await {
                        Ok(()) => drop(outcome.answered.fetch_add(1, Ordering::Relaxed)),
                        Err(status) => outcome.refused.lock().expect("nobody panics").push(status),
                    }
                    sleep(pause).await;
                }
            });
        }
        Self { outcome, stop, callers: tasks }
    }

    /// Calls that went well so far.
    pub fn answered(&self) -> usize {
        self.outcome.answered.load(Ordering::Relaxed)
    }

    /// How the others ended so far.
    pub fn refused(&self) -> Vec<Status> {
        self.outcome.refused.lock().expect("nobody panics").clone()
    }

    /// Waits until so many more calls went well.
    pub async fn until_more(&self, amount: usize) {
        let wanted = self.answered() + amount;
        self.until(|it| wanted <= it.answered()).await;
    }

    /// Waits until it is so.
    pub async fn until(&self, is: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !is(self) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{} answered, then {:?}", self.answered(), self.refused());
    }

    /// Lets everybody finish. Returns how many calls went well, and how the others ended.
    pub async fn end(mut self) -> (usize, Vec<Status>) {
        self.stop.cancel();
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("a caller does not panic");
        }
        (self.answered(), self.refused())
    }
}
