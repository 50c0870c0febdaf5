//! A limit on how much is under way at once: what comes beyond it is refused at once instead of made to wait.

use super::{config::Limits, methods::Method};
use crate::error::{Error, Reason, Result};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams are counted apart: many of them wait for hours and cost little.
#[derive(Clone, Debug)]
pub(crate) struct Shed {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    limits: Limits,
}

impl Shed {
    pub(crate) fn new(limits: Limits) -> Self {
        let places = |n: u32| Arc::new(Semaphore::new(n as usize));
        Self { calls: places(limits.calls_max), streams: places(limits.streams_max), limits }
    }

    /// Takes a place, which is given back when the permit is dropped: at the end of the response.
    pub(crate) fn enter(&self, method: &Method) -> Result<OwnedSemaphorePermit> {
        let (places, max, what) = if method.is_stream() {
            (&self.streams, self.limits.streams_max, "streams")
        } else {
            (&self.calls, self.limits.calls_max, "calls")
        };
        places.clone().try_acquire_owned().map_err(|_| Error::Exhausted {
            reason: Reason::Overloaded,
            problem: format!(
                "{max} {what} are under way here, which is the limit; repeat in a moment"
            ),
        })
    }
}
