//! Messages to executions, taken once each in the order of their arrival. All of it under the lock of the queue row.

use super::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId, SignalId, UserId},
};
use sqlx::PgConnection;

/// Signals of one execution that wait to be taken.
pub const UNTAKEN_MAX: i64 = 1000;

/// Bytes of a payload as JSON.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Debug)]
pub struct NewSignal<'a> {
    /// Chosen by web.
    pub id: SignalId,
    pub name: &'a str,
    pub payload: &'a Value,
    pub sent_by: Option<UserId>,
}

/// Keeps a signal until a step takes it.
pub async fn send(conn: &mut PgConnection, lease: &Lease, new: &NewSignal<'_>) -> WriteResult {
    let row = fenced!(
        "insert into runtime.execution_signals (org_id, execution_id, id, name, payload, sent_by, created_at)
        select org_id, execution_id, $4, $5, $6, $7, clock_timestamp()
        from lease
        returning id",
        lease,
        new.id.0,
        new.name,
        new.payload,
        new.sent_by.map(|it| it.0),
    )
    .fetch_optional(conn)
    .await?;
    held(row)?;
    Ok(())
}

/// Whether a signal was sent before.
pub async fn is_sent(
    conn: &mut PgConnection,
    org: OrganizationId,
    execution: ExecutionId,
    id: SignalId,
) -> Result<bool> {
    let row = sqlx::query!(
        "select id
         from runtime.execution_signals
         where org_id = $1 and execution_id = $2 and id = $3",
        org.0,
        execution.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// How many wait to be taken, counted up to the most that may, and whether a step waits for one.
pub async fn standing(conn: &mut PgConnection, lease: &Lease) -> Result<(i64, bool)> {
    let row = sqlx::query!(
        r#"select
            (select count(*) from (
                select from runtime.execution_signals
                where org_id = $1 and execution_id = $2 and step_key is null
                limit $3
            ) as untaken) as "untaken!",
            exists (
                select from runtime.execution_steps
                where org_id = $1 and execution_id = $2 and state = 'waiting' and step_type = 'signal'
            ) as "awaited!""#,
        lease.org.0,
        lease.execution.0,
        UNTAKEN_MAX,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.untaken, row.awaited))
}

/// Takes the oldest signal of this name for a step, if there is one.
pub async fn take(
    conn: &mut PgConnection,
    lease: &Lease,
    name: &str,
    step_key: &str,
) -> WriteResult<Option<Value>> {
    let row = fenced!(
        ", oldest as (
            select s.org_id, s.execution_id, s.id
            from lease
            join runtime.execution_signals as s on s.org_id = lease.org_id and s.execution_id = lease.execution_id
            where s.name = $4 and s.step_key is null
            order by s.created_at, s.id
            limit 1
        )
        update runtime.execution_signals as s
        set step_key = $5
        from oldest
        where s.org_id = oldest.org_id and s.execution_id = oldest.execution_id and s.id = oldest.id
        returning s.payload",
        lease,
        name,
        step_key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.payload))
}
