//! How long this machine itself stood still: what the neighbours' load takes is not the services' fault.

use super::clocks::{Time, now};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::task::AbortHandle;

const BEAT: Duration = Duration::from_millis(10);
/// Shorter delays are in every measurement.
const WORTH_NOTING: Duration = Duration::from_millis(40);

/// A stretch in which a task that only sleeps was not woken.
#[derive(Clone, Copy, Debug)]
pub struct Stall {
    pub at: Time,
    pub lasted: Duration,
}

/// Notes stalls until it is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    stalls: Arc<Mutex<Vec<Stall>>>,
    task: AbortHandle,
}

impl Pulse {
    pub(super) fn start() -> Self {
        let stalls = Arc::<Mutex<Vec<Stall>>>::default();
        let noted = stalls.clone();
        let task = tokio::spawn(async move {
            loop {
                let (at, begun) = (now(), Instant::now());
                tokio::time::sleep(BEAT).await;
                let lasted = begun.elapsed().saturating_sub(BEAT);
                if WORTH_NOTING < lasted {
                    noted.lock().expect("no holder panics").push(Stall { at, lasted });
                }
            }
        });
        Self { stalls, task: task.abort_handle() }
    }

    pub(super) fn stalls(&self) -> Vec<Stall> {
        self.stalls.lock().expect("no holder panics").clone()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}
