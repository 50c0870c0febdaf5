//! Worker processes. While a row's `lease_until` is ahead, by the database's clock, its worker holds every queue row that names it.
//!
//! All of it crosses organizations: in `Scope::Platform`.

use super::{lease::Lease, queue::millis};
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId, WorkerId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// Makes a worker known, alive for `ttl`.
pub async fn register(conn: &mut PgConnection, worker: WorkerId, ttl: Duration) -> Result<()> {
    sqlx::query!(
        "insert into runtime.workers (id, lease_until)
         values ($1, now() + $2::bigint * interval '1 millisecond')
         on conflict (id) do update
         set lease_until = excluded.lease_until",
        worker.0,
        millis(ttl),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Prolongs the one lease of a worker. False when it was taken for dead: everything that it held is somebody else's by now.
pub async fn renew(conn: &mut PgConnection, worker: WorkerId, ttl: Duration) -> Result<bool> {
    let done = sqlx::query!(
        "update runtime.workers
         set lease_until = now() + $2::bigint * interval '1 millisecond'
         where id = $1",
        worker.0,
        millis(ttl),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A queue row that a worker holds.
#[derive(Clone, Copy, Debug)]
pub struct Holding {
    pub org: OrganizationId,
    pub execution: ExecutionId,
    pub token: i64,
    pub cancel_requested: bool,
    pub pause_requested: bool,
}

impl Holding {
    pub fn lease(&self) -> Lease {
        Lease { org: self.org, execution: self.execution, token: self.token }
    }
}

/// What a worker holds, as the queue knows it.
pub async fn holdings(conn: &mut PgConnection, worker: WorkerId) -> Result<Vec<Holding>> {
    Ok(sqlx::query_as!(
        Holding,
        "select org_id as org, execution_id as execution, lease_token as token, cancel_requested, pause_requested
         from runtime.execution_queue
         where phase = 'held' and worker_id = $1",
        worker.0,
    )
    .fetch_all(conn)
    .await?)
}

/// Those of a worker's executions that somebody asked to stop or to pause. They are read in their order by the index that has them alone: by
/// its worker, one would be found among all that it has held while a session's snapshot keeps it.
pub async fn asked(conn: &mut PgConnection, worker: WorkerId) -> Result<Vec<Holding>> {
    Ok(sqlx::query_as!(
        Holding,
        "select org_id as org, execution_id as execution, lease_token as token, cancel_requested, pause_requested
         from runtime.execution_queue
         where phase = 'held' and (cancel_requested or pause_requested) and worker_id is not distinct from $1
         order by execution_id",
        worker.0,
    )
    .fetch_all(conn)
    .await?)
}

/// Forgets a worker that holds nothing any more, because its process stops.
pub async fn remove(conn: &mut PgConnection, worker: WorkerId) -> Result<()> {
    sqlx::query!("delete from runtime.workers where id = $1", worker.0).execute(conn).await?;
    Ok(())
}

/// Forgets the workers whose lease has ended, which makes orphans of what they held. Returns how many there were.
pub async fn expire(conn: &mut PgConnection) -> Result<u64> {
    let done = sqlx::query!(
        "delete from runtime.workers
         where id in (
            select id
            from runtime.workers
            where lease_until <= now()
            for update skip locked
         )",
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
