//! Takes work from the queue for as long as there are hands free.

use super::{
    Core, drive,
    held::Holding,
    rounds::{Backoff, jitter},
};
use crate::store::queue::{self, Claimed};
use shared_db::{error::Result, scope::Scope};
use std::sync::Arc;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

/// Most that one statement claims.
const BATCH_MAX: usize = 50;

/// Claims until `stop`. Each execution is a task of its own.
pub(super) async fn run(core: &Arc<Core>, stop: &CancellationToken) {
    let hands = Arc::new(Semaphore::new(core.config.worker_concurrency as usize));
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        // Waits for the first free hand, so that a busy worker does not poll.
        let first = tokio::select! {
            first = hands.acquire() => first,
            () = stop.cancelled() => return,
        };
        drop(first);
        let limit = hands.available_permits().min(BATCH_MAX);
        let pause = match claim(core, limit).await {
            Ok((claimed, until)) => {
                backoff.reset();
                let all = claimed.len();
                for one in claimed {
                    begin(core, &hands, one, until);
                }
                if all == limit && limit > 0 {
                    continue;
                }
                core.config.poll_interval.mul_f64(jitter())
            }
            Err(error) => {
                core.metrics.fault("claim");
                tracing::warn!(error = %shared_db::error::chain(&error), "claiming failed");
                backoff.next()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = core.wake.0.notified() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Claims up to `limit`, and says until when the leases hold by the clock of this process.
async fn claim(core: &Core, limit: usize) -> Result<(Vec<Claimed>, Instant)> {
    let ttl = core.config.lease_ttl;
    let until = Instant::now() + ttl;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let claimed = core
        .bounded(async {
            let mut tx = core.db.begin(Scope::Platform).await?;
            let claimed = queue::claim(&mut tx, core.worker, ttl, limit).await?;
            if !claimed.is_empty() {
                tx.commit().await?;
            }
            Ok(claimed)
        })
        .await?;
    Ok((claimed, until))
}

fn begin(core: &Arc<Core>, hands: &Arc<Semaphore>, claimed: Claimed, until: Instant) {
    core.metrics.claimed(claimed.waited_ms);
    let word = core.held.add(claimed.lease, until);
    let hand = hands.clone().try_acquire_owned();
    let holding = Holding { core: core.clone(), lease: claimed.lease };
    core.work.spawn(async move {
        let _hand = hand;
        Box::pin(drive::run(&holding.core, claimed, word)).await;
    });
}
