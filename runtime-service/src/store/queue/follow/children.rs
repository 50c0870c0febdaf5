//! What becomes of children whose parent has ended: each has its close policy.

use super::{Who, columns};
use crate::store::queue::millis;
use shared_db::{
    enums::{ClosePolicy, QueuePhase},
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// What one round came to.
#[derive(Debug, Default)]
pub struct Closed {
    /// Those that have ended with it: what follows from their end is to be done as well.
    pub ended: Vec<Who>,
    /// How many others were asked to stop, or are let go.
    pub left: usize,
}

/// Why a child was cancelled, as it is told.
const MESSAGE: &str = "its parent has ended";

/// Carries out the close policies of at most `limit` children of `parents`, which have ended. Those that another transaction has locked
/// are left for the next round.
///
/// The rows are locked first, by a statement of its own: the next one sees all that was written for them before.
pub async fn close_children(
    conn: &mut PgConnection,
    parents: &[Who],
    grace: Duration,
    limit: i64,
) -> Result<Closed> {
    let (orgs, ids) = columns(parents);
    let rows = sqlx::query!(
        r#"select c.org_id, c.execution_id, c.phase, e.close_policy
        from unnest($1::uuid[], $2::uuid[]) as parent (org_id, id)
        cross join lateral (
            select c.org_id, c.execution_id, c.phase
            from runtime.execution_queue as c
            where c.parent_execution_id = parent.id and c.org_id is not distinct from parent.org_id
            limit $3
            for update skip locked
        ) as c
        join runtime.agent_executions as e on e.org_id = c.org_id and e.id = c.execution_id
        where not exists (
            select from runtime.execution_queue as p where p.org_id = parent.org_id and p.execution_id = parent.id
        )
        limit $3"#,
        &orgs,
        &ids,
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    let (mut over, mut asked, mut free) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let to = match (row.close_policy, row.phase) {
            (ClosePolicy::Abandon, _) => &mut free,
            (ClosePolicy::RequestCancel, QueuePhase::Held) => &mut asked,
            (ClosePolicy::Terminate | ClosePolicy::RequestCancel, _) => &mut over,
        };
        to.push((row.org_id, row.execution_id));
    }
    let left = asked.len() + free.len();
    let ended = if over.is_empty() { over } else { cancel_all(conn, &over).await? };
    if !asked.is_empty() {
        ask_all(conn, &asked, grace).await?;
    }
    free.append(&mut asked);
    if !free.is_empty() {
        let_go(conn, &free).await?;
    }
    Ok(Closed { ended, left })
}

/// Cancels executions whose rows are locked, whatever their workers do.
async fn cancel_all(conn: &mut PgConnection, who: &[Who]) -> Result<Vec<Who>> {
    let (orgs, ids) = columns(who);
    let rows = sqlx::query!(
        r#"with gone as (
            delete from runtime.execution_queue as q
            using unnest($1::uuid[], $2::uuid[]) as picked (org_id, id)
            where q.org_id = picked.org_id and q.execution_id = picked.id
            returning q.org_id, q.execution_id, q.phase, q.attempt, q.lost_leases
        ), moved as (
            update runtime.agent_executions as e
            set state = 'cancelled',
                attempt = gone.attempt,
                started_at = case when gone.attempt = 0 then null else coalesce(e.started_at, now()) end,
                error_reason = 'CANCELLED',
                error_message = $3,
                cancel_requested = false,
                pause_requested = false,
                finished_at = clock_timestamp(),
                last_event_seq = e.last_event_seq + case when gone.phase = 'held' and before.attempt < gone.attempt then 2 else 1 end
            from gone
            join runtime.agent_executions as before on before.org_id = gone.org_id and before.id = gone.execution_id
            where e.org_id = gone.org_id and e.id = gone.execution_id
            returning e.org_id, e.id, e.attempt, e.last_event_seq, gone.lost_leases,
                gone.phase = 'held' and before.attempt < gone.attempt as untold
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, last_event_seq - 1,
                (case when attempt = 1 then 'execution_started' else 'execution_resumed' end)::runtime.event_type,
                jsonb_build_object('attempt', attempt, 'lost_leases', lost_leases)
            from moved
            where untold
            union all
            select org_id, id, last_event_seq, 'execution_cancelled', jsonb_build_object('message', $3::text)
            from moved
        ), stepped as (
            update runtime.execution_steps as s
            set state = 'cancelled',
                error_reason = case
                    when s.state = 'running' and s.side_effect = 'at_most_once' then 'STEP_OUTCOME_UNKNOWN'
                    else 'CANCELLED'
                end,
                error_message = $3,
                finished_at = clock_timestamp()
            from moved
            where s.org_id = moved.org_id and s.execution_id = moved.id and s.state in ('pending', 'running', 'waiting')
        ), acted as (
            update runtime.action_executions as a
            set state = 'cancelled',
                error_reason = 'CANCELLED',
                error_message = $3,
                finished_at = clock_timestamp()
            from moved
            where a.org_id = moved.org_id and a.execution_id = moved.id and a.state = 'running'
        ), asked as (
            update runtime.input_requests as r
            set state = 'cancelled'
            from moved
            where r.org_id = moved.org_id and r.execution_id = moved.id and r.state = 'open'
        ), forgotten as (
            delete from runtime.data_waits as w
            using moved
            where w.org_id = moved.org_id and w.execution_id = moved.id
        )
        select org_id as "org_id!: OrganizationId", id as "id!: ExecutionId"
        from moved"#,
        &orgs,
        &ids,
        MESSAGE,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.org_id, it.id)).collect())
}

/// Asks workers to stop what they hold, whose rows are locked.
async fn ask_all(conn: &mut PgConnection, who: &[Who], grace: Duration) -> Result<()> {
    let (orgs, ids) = columns(who);
    sqlx::query!(
        "with marked as (
            update runtime.execution_queue as q
            set cancel_requested = true,
                deadline = least(q.deadline, now() + $3::bigint * interval '1 millisecond')
            from unnest($1::uuid[], $2::uuid[]) as picked (org_id, id)
            where q.org_id = picked.org_id and q.execution_id = picked.id and not q.cancel_requested
            returning q.org_id, q.execution_id
        ), moved as (
            update runtime.agent_executions as e
            set cancel_requested = true, last_event_seq = e.last_event_seq + 1
            from marked
            where e.org_id = marked.org_id and e.id = marked.execution_id
            returning e.org_id, e.id, e.last_event_seq
        )
        insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
        select org_id, id, last_event_seq, 'cancel_requested', jsonb_build_object('reason', $4::text)
        from moved",
        &orgs,
        &ids,
        millis(grace),
        MESSAGE,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets whose children they are, as far as the queue goes: nothing follows from their parent any more.
async fn let_go(conn: &mut PgConnection, who: &[Who]) -> Result<()> {
    let (orgs, ids) = columns(who);
    sqlx::query!(
        "update runtime.execution_queue as q
         set parent_execution_id = null
         from unnest($1::uuid[], $2::uuid[]) as picked (org_id, id)
         where q.org_id = picked.org_id and q.execution_id = picked.id",
        &orgs,
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}
