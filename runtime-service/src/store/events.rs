//! What happened to executions. A log: gapless per execution, and the final event is the last.

use super::lease::{Lease, WriteResult, held};
use serde_json::Value;
use shared_db::enums::EventType;

/// An event that is about to be told.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    pub event_type: EventType,
    pub step_key: Option<&'a str>,
    /// An object of at most 64 KiB.
    pub payload: Value,
}

/// Appends an event under the next number of its execution, which is counted up in the same statement.
pub async fn append(
    conn: &mut sqlx::PgConnection,
    lease: &Lease,
    event: NewEvent<'_>,
) -> WriteResult<i64> {
    let row = fenced!(
        ", counted as (
            update runtime.agent_executions as e
            set last_event_seq = e.last_event_seq + 1
            from lease
            where e.org_id = lease.org_id and e.id = lease.execution_id
            returning e.org_id, e.id, e.last_event_seq
        )
        insert into runtime.execution_events (org_id, execution_id, seq, event_type, step_key, payload)
        select org_id, id, last_event_seq, $4, $5, $6
        from counted
        returning seq",
        lease,
        event.event_type as EventType,
        event.step_key,
        event.payload,
    )
    .fetch_optional(conn)
    .await?;
    Ok(held(row)?.seq)
}
