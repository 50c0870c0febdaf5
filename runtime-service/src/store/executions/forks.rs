//! Executions that begin with the finished steps of another: forks of it, and those that are started in the place of a dead letter.

use super::{Limits, NewExecution};
use serde_json::Value;
use shared_db::{
    enums::ClosePolicy,
    error::{Error, Reason, Result},
    ids::{AgentId, ExecutionId, OrganizationId, StepId, UserId},
};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// The hash of a step that is taken over under another input: it is what the step came to, whatever it is asked for with.
pub const ANY_INPUT: [u8; 32] = [0; 32];

/// Values of a tree's data that are copied with the start of one execution, and their bytes as PostgreSQL keeps them.
const DATA_MAX: i64 = 10_000;
const DATA_BYTES_MAX: i64 = 64 << 20;

/// What another execution takes from the one that it begins like.
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
    pub execution_key: Option<String>,
    pub platforms: Vec<Uuid>,
    /// The step that it failed at.
    pub error_step_key: Option<String>,
}

impl Original {
    /// An execution that begins like it: at the same revision, with fresh limits, without a parent and without its key.
    pub fn again(
        &self,
        org: OrganizationId,
        from: ExecutionId,
        id: ExecutionId,
        by: Option<UserId>,
    ) -> NewExecution {
        NewExecution {
            org,
            id,
            agent_org_id: self.agent_org_id,
            agent_id: self.agent_id,
            agent_revision: self.agent_revision,
            session_id: self.session_id.clone(),
            parent_execution_id: None,
            call_stack: Vec::new(),
            close_policy: ClosePolicy::Terminate,
            execution_key: None,
            platforms: self.platforms.clone(),
            forked_from: Some(from),
            forked_from_step: None,
            initial_prompt: self.initial_prompt.clone(),
            input: self.input.clone(),
            priority: self.priority,
            limits: self.limits,
            not_before: None,
            traceparent: None,
            created_by: by,
        }
    }
}

pub async fn original(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Original> {
    let it = sqlx::query!(
        "select agent_org_id, agent_id, agent_revision, session_id, initial_prompt, input, priority, queue_limit_ms, attempt_limit_ms,
            total_limit_ms, execution_key, platforms, error_step_key
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
        execution_key: it.execution_key,
        platforms: it.platforms.unwrap_or_default(),
        error_step_key: it.error_step_key,
    })
}

/// Gives the steps `keys` of `from` to an execution that has none, in their order, and what they have kept for others to find.
/// `any_input`: its input is another. Returns how many steps there were.
///
/// Those that have succeeded are taken over as they are. One that must not be repeated and whose outcome is unknown waits for somebody
/// who decides.
pub async fn take_over(
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
             (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
              error_message, attempt, failures, metadata, started_at, finished_at)
         select s.org_id, $3, s.step_key, kept.id, kept.position::integer, s.step_type,
             case when s.state = 'succeeded' then s.state else 'waiting' end, s.side_effect, coalesce($6, s.input_hash), s.input,
             s.output, s.error_reason, s.error_message, s.attempt, s.failures, jsonb_build_object('copied_from', s.execution_id),
             s.started_at, case when s.state = 'succeeded' then s.finished_at end
         from unnest($4::text[], $5::uuid[]) with ordinality as kept (step_key, id, position)
         join runtime.execution_steps as s
             on s.org_id = $1 and s.execution_id = $2 and s.step_key = kept.step_key
                 and (s.state = 'succeeded' or s.error_reason = 'STEP_OUTCOME_UNKNOWN')",
        org.0,
        from.0,
        to.0,
        keys,
        &ids,
        hash,
    )
    .execute(&mut *conn)
    .await?;
    take_data(conn, org, from, to, keys).await?;
    Ok(done.rows_affected())
}

/// Gives what the tree of `from` keeps to that of `to`, but for what is kept once more when the other steps are done again: what those of
/// `from` have kept, and the executions that they have started. The ids of those are of the moment of their step's. More than a start may
/// copy is refused, and nothing of it written.
async fn take_data(
    conn: &mut PgConnection,
    org: OrganizationId,
    from: ExecutionId,
    to: ExecutionId,
    keys: &[String],
) -> Result<()> {
    let found = sqlx::query!(
        r#"with found as materialized (
             select d.*
             from runtime.agent_executions as e
             join runtime.workflow_data as d on d.org_id = e.org_id and d.root_execution_id = e.root_execution_id
             left join runtime.agent_executions as w on w.org_id = d.org_id and w.id = d.execution_id
             where e.org_id = $1 and e.id = $2 and case
                 when d.execution_id = $2 then d.step_key = any($4)
                 when $2 = any(w.call_stack) then exists (
                     select from runtime.execution_steps as s
                     where s.org_id = $1 and s.execution_id = $2 and s.step_key = any($4)
                       and left(s.id::text, 13) = left(coalesce(w.call_stack[array_position(w.call_stack, $2) + 1], w.id)::text, 13)
                 )
                 else true
             end
             limit $5::bigint + 1
         ), measured as materialized (
             select count(*) as count, coalesce(sum(pg_column_size(value)), 0)::bigint as bytes
             from found
         ), taken as (
             insert into runtime.workflow_data
                 (org_id, root_execution_id, key, value, data_type, tags, execution_id, step_key, created_by_agent, created_at)
             select org_id, $3, key, value, data_type, tags, case when execution_id = $2 then $3 else execution_id end, step_key,
                 created_by_agent, created_at
             from found
             where (select count <= $5 and bytes <= $6::bigint from measured)
         )
         select count as "count!", bytes as "bytes!"
         from measured"#,
        org.0,
        from.0,
        to.0,
        keys,
        DATA_MAX,
        DATA_BYTES_MAX,
    )
    .fetch_one(conn)
    .await?;
    if found.count <= DATA_MAX && found.bytes <= DATA_BYTES_MAX {
        return Ok(());
    }
    let problem = format!(
        "execution {from} can not be begun again from there: its tree keeps more data than a start copies, {DATA_MAX} values of {} MiB; \
         start another",
        DATA_BYTES_MAX >> 20
    );
    Err(Error::precondition(Reason::ForkImpossible, format!("execution/{from}"), problem))
}
