//! Who comes next under a key.

use crate::store::queue::AGEING_STEP_MS;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;

/// What passing a key on came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Its holder lives, or nobody waits for it.
    No,
    To(ExecutionId),
}

/// Passes a key whose holder has ended on to the execution that has waited for it longest.
///
/// The key's row is locked first, by a statement of its own, so that the next one sees whom it was passed on to before.
pub async fn pass_key(conn: &mut PgConnection, org: OrganizationId, key: &str) -> Result<Passed> {
    let locked = sqlx::query!(
        "select execution_id
         from runtime.execution_keys
         where org_id = $1 and execution_key = $2
         for update",
        org.0,
        key,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(holder) = locked else { return Ok(Passed::No) };
    let row = sqlx::query!(
        r#"with next as (
            select q.org_id, q.execution_id
            from runtime.execution_queue as q
            where q.org_id = $1 and q.execution_key = $2
              and not exists (
                select from runtime.execution_queue as h where h.org_id = $1 and h.execution_id = $3
              )
            order by q.created_at, q.execution_id
            limit 1
            for update of q
        ), passed as (
            update runtime.execution_keys as k
            set execution_id = next.execution_id
            from next
            where k.org_id = $1 and k.execution_key = $2
        ), readied as (
            update runtime.execution_queue as q
            set phase = (case when now() < e.not_before then 'delayed' else 'ready' end)::runtime.queue_phase,
                available_at = greatest(now(), e.not_before),
                rank = (extract(epoch from greatest(now(), e.not_before)) * 1000)::bigint + (q.priority - 3) * $4::bigint
            from runtime.agent_executions as e
            -- A value, not a join, so that there is only one way to find it, whatever the queue held when the plan was made.
            where q.org_id = $1 and q.execution_id = (select execution_id from next) and q.phase is not distinct from 'delayed'
              and e.org_id = $1 and e.id = (select execution_id from next)
        )
        select execution_id
        from next"#,
        org.0,
        key,
        holder.execution_id.0,
        AGEING_STEP_MS,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map_or(Passed::No, |it| Passed::To(it.execution_id)))
}
