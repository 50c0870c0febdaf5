//! Executions that begin with the finished steps of another.

use super::Limits;
use serde_json::Value;
use shared_db::{
    error::{Error, Result},
    ids::{AgentId, ExecutionId, OrganizationId, StepId},
};
use sqlx::PgConnection;
use std::time::Duration;

/// The hash of a step that is taken over under another input: it is what the step came to, whatever it is asked for with.
pub const ANY_INPUT: [u8; 32] = [0; 32];

/// What a fork takes from the execution that it begins like.
#[derive(Clone, Debug)]
pub struct Original {
    pub agent_org_id: OrganizationId,
    pub agent_id: AgentId,
    pub agent_revision: i32,
    pub session_id: String,
    pub initial_prompt: String,
    pub input: Value,
    pub priority: i16,
    pub limits: Limits,
}

pub async fn original(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Original> {
    let it = sqlx::query!(
        "select agent_org_id, agent_id, agent_revision, session_id, initial_prompt, input, priority, queue_limit_ms, attempt_limit_ms,
            total_limit_ms
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("execution", id))?;
    let millis = |it: i64| Duration::from_millis(it.max(1).unsigned_abs());
    Ok(Original {
        agent_org_id: it.agent_org_id,
        agent_id: it.agent_id,
        agent_revision: it.agent_revision,
        session_id: it.session_id,
        initial_prompt: it.initial_prompt,
        input: it.input,
        priority: it.priority,
        limits: Limits {
            queue: millis(it.queue_limit_ms),
            attempt: millis(it.attempt_limit_ms),
            total: millis(it.total_limit_ms),
        },
    })
}

/// Gives the steps `keys` of `from`, which have succeeded, to an execution that has none, in their order. `any_input`: its input is
/// another. Returns how many there were.
pub async fn copy_steps(
    conn: &mut PgConnection,
    org: OrganizationId,
    from: ExecutionId,
    to: ExecutionId,
    keys: &[String],
    any_input: bool,
) -> Result<u64> {
    let ids: Vec<_> = keys.iter().map(|_| StepId::generate().0).collect();
    let hash = any_input.then_some(ANY_INPUT.as_slice());
    let done = sqlx::query!(
        "insert into runtime.execution_steps
             (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, attempt, failures,
              metadata, started_at, finished_at)
         select s.org_id, $3, s.step_key, kept.id, kept.position::integer, s.step_type, s.state, s.side_effect,
             coalesce($6, s.input_hash), s.input, s.output, s.attempt, s.failures, jsonb_build_object('copied_from', s.execution_id),
             s.started_at, s.finished_at
         from unnest($4::text[], $5::uuid[]) with ordinality as kept (step_key, id, position)
         join runtime.execution_steps as s
             on s.org_id = $1 and s.execution_id = $2 and s.step_key = kept.step_key and s.state = 'succeeded'",
        org.0,
        from.0,
        to.0,
        keys,
        &ids,
        hash,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
