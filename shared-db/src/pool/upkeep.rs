//! What is done about connections that nobody uses.

use super::{PoolLimits, connector::Connector};
use deadpool::managed::{Object, Pool, WeakPool};
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Those that were idle for longer are closed, down to the number that is kept.
const IDLE_MAX: Duration = Duration::from_mins(10);
const INTERVAL: Duration = Duration::from_secs(10);
/// How often it is looked whether the last connection has come back to a pool that is closed.
const CLOSE_INTERVAL: Duration = Duration::from_millis(10);

/// Looks after a pool for as long as somebody has it.
pub(super) fn spawn(pool: WeakPool<Connector>, limits: PoolLimits) {
    tokio::spawn(async move {
        while let Some(pool) = pool.upgrade().filter(|it| !it.is_closed()) {
            shrink(&pool, limits).await;
            // A server that is away is not waited for: whoever needs a connection says so.
            drop(timeout(limits.acquire_timeout, grow(&pool, limits)).await);
            drop(pool);
            sleep(INTERVAL).await;
        }
    });
}

async fn shrink(pool: &Pool<Connector>, limits: PoolLimits) {
    let mut spare = pool.status().size.saturating_sub(min(limits));
    let unused = pool.retain(|_, it| {
        let closes = 0 < spare && IDLE_MAX < it.last_used();
        spare -= usize::from(closes);
        !closes
    });
    say_goodbye(unused.removed).await;
}

/// Opens as many as are to be kept. Those that are there are held meanwhile, so that others are made.
async fn grow(pool: &Pool<Connector>, limits: PoolLimits) {
    let mut held: Vec<Object<Connector>> = Vec::new();
    while pool.status().size < min(limits) {
        match pool.get().await {
            Ok(connection) => held.push(connection),
            Err(error) => return tracing::debug!(%error, "no connection can be made"),
        }
    }
}

fn min(limits: PoolLimits) -> usize {
    let min = limits.connections_min.min(limits.connections_max);
    usize::try_from(min).unwrap_or(usize::MAX)
}

/// Closes what is idle now, and what comes back until nothing is left.
pub(super) async fn close(pool: &Pool<Connector>) {
    let idle = pool.retain(|_, _| false);
    pool.close();
    say_goodbye(idle.removed).await;
    while 0 < pool.status().size {
        sleep(CLOSE_INTERVAL).await;
    }
}

/// A server that is not told takes it for an error of its client.
async fn say_goodbye(connections: Vec<PgConnection>) {
    for connection in connections {
        // It may be gone already.
        drop(timeout(INTERVAL, connection.close()).await);
    }
}
