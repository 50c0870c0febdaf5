//! Executions that have finished long ago, written as the engine leaves them but by few statements: a million of them take a minute.

use super::fill::Filler;
use anyhow::Result;
use shared_db::ids::{ExecutionId, StepId};
use sqlx::PgPool;
use uuid::Uuid;

const BATCH: usize = 5000;

/// Binds: organization, agent, executions, steps; a hash.
const WRITE: &str = "
with old as (
    select * from unnest($3::uuid[], $4::uuid[]) as old (id, step_id)
), ended as (
    insert into runtime.agent_executions
        (org_id, id, agent_org_id, agent_id, agent_revision, root_execution_id, state, output, attempt, last_event_seq,
         queue_limit_ms, attempt_limit_ms, total_limit_ms, started_at, finished_at)
    select $1, id, $1, $2, 1, id, 'succeeded', '{}', 1, 5, 86400000, 86400000, 86400000, now(), now()
    from old
), stepped as (
    insert into runtime.execution_steps
        (org_id, id, execution_id, step_key, sequence, step_type, state, side_effect, input_hash, input, output, finished_at)
    select $1, step_id, id, 'noop', 1, 'value', 'succeeded', 'pure', $5, '{}', '{}', now()
    from old
)
insert into runtime.execution_events (org_id, execution_id, seq, event_type, step_key)
select $1, id, seq, event_type::runtime.event_type, step_key
from old
cross join (values
    (1, 'execution_queued', null),
    (2, 'execution_started', null),
    (3, 'step_started', 'noop'),
    (4, 'step_succeeded', 'noop'),
    (5, 'execution_succeeded', null)
) as event (seq, event_type, step_key)";

pub(super) async fn write(owner: &PgPool, of: &Filler, executions: usize) -> Result<()> {
    let mut left = executions;
    while left > 0 {
        let count = left.min(BATCH);
        let ids: Vec<Uuid> = (0..count).map(|_| ExecutionId::generate().0).collect();
        let steps: Vec<Uuid> = (0..count).map(|_| StepId::generate().0).collect();
        sqlx::query(WRITE)
            .bind(of.org.0)
            .bind(of.agent.0)
            .bind(ids)
            .bind(steps)
            .bind([0_u8; 32].as_slice())
            .execute(owner)
            .await?;
        left -= count;
    }
    sqlx::raw_sql("vacuum analyze runtime.agent_executions, runtime.execution_steps, runtime.execution_events")
        .execute(owner)
        .await?;
    // What finished long ago is on the disk: whoever comes next does not have to bring it there.
    sqlx::raw_sql("checkpoint").execute(owner).await?;
    Ok(())
}
