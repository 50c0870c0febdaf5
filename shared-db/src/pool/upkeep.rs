//! What is done about connections that nobody uses.

use super::{PoolLimits, connection::send_rollback, connector::Connector};
use deadpool::managed::{Object, Pool, Timeouts};
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use tokio::time::{interval, sleep, timeout};

/// Those that were idle for longer are closed, down to the number that is kept.
const IDLE_MAX: Duration = Duration::from_mins(10);
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a transaction whose end is left to the next user of its connection may wait for one.
const LEFT_OPEN_MAX: Duration = Duration::from_millis(5);
/// How often it is looked whether the last connection has come back to a pool that is closed.
const CLOSE_INTERVAL: Duration = Duration::from_millis(10);

/// Looks after a pool for as long as somebody has it.
pub(super) fn spawn(pool: &Pool<Connector>) {
    let (pool, left_open) = (pool.weak(), pool.manager().left_open.clone());
    tokio::spawn(async move {
        let mut looks = interval(INTERVAL);
        let open = || pool.upgrade().filter(|it| !it.is_closed());
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    let Some(pool) = open() else { return };
                    // By itself: it may have to wait for a server, and an open transaction may not.
                    tokio::spawn(look(pool));
                }
                () = left_open.notified() => {
                    sleep(LEFT_OPEN_MAX).await;
                    let Some(pool) = open() else { return };
                    end_left_open(&pool).await;
                }
            }
        }
    });
}

async fn look(pool: Pool<Connector>) {
    let limits = pool.manager().limits;
    shrink(&pool, limits).await;
    // A server that is away is not waited for: whoever needs a connection says so.
    drop(timeout(limits.acquire_timeout, grow(&pool, limits)).await);
}

/// What was left to somebody who waited is ended by them at once, unless they have gone away. Then the connection is idle.
async fn end_left_open(pool: &Pool<Connector>) {
    // Without a runtime of its own the pool refuses to make any under a limit: only those that are there are given.
    let there =
        Timeouts { wait: Some(Duration::ZERO), create: Some(Duration::ZERO), recycle: None };
    let mut idle = Vec::new();
    while let Ok(connection) = pool.timeout_get(&there).await {
        idle.push(connection);
    }
    for mut connection in idle {
        if send_rollback(&mut connection).is_err() {
            drop(Object::take(connection));
        }
    }
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
