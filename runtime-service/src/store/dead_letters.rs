//! Executions that failed in a way that only a person can mend. Filed with the end of the execution, in the same statement; see
//! [`super::executions::End::dead_letter`].

use super::queue::AGEING_STEP_MS;
use chrono::{DateTime, Utc};
use shared_db::{
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId, UserId},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// What is meant; `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub agent: Option<AgentId>,
    pub reason: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
    pub ids: Option<Vec<Uuid>>,
}

/// Runs a statement over the letters that match: `$1` to `$6` are the organization and the selection.
macro_rules! selected {
    ($head:literal, $tail:literal, $org:expr, $selection:expr $(, $arg:expr)* $(,)?) => {
        sqlx::query!(
            $head + " from runtime.dead_letters as d
            where d.org_id = $1
              and ($2::uuid is null or d.agent_id = $2)
              and ($3::text is null or d.reason = $3)
              and ($4::timestamptz is null or $4 <= d.created_at)
              and ($5::timestamptz is null or d.created_at < $5)
              and ($6::uuid[] is null or d.execution_id = any($6)) " + $tail,
            $org.0,
            $selection.agent.map(|it| it.0),
            $selection.reason,
            $selection.from,
            $selection.before,
            $selection.ids.as_deref()
            $(, $arg)*
        )
    };
}

/// How many match, counted up to `limit`. `open`: only those that were not redriven.
pub async fn count(
    conn: &mut PgConnection,
    org: OrganizationId,
    selection: &Selection,
    open: bool,
    limit: i64,
) -> Result<i64> {
    let row = selected!(
        "select count(*) as \"count!\" from (select 1",
        "and (not $7 or d.redriven_as is null) limit $8) as matching",
        org,
        selection,
        open,
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.count)
}

/// Locks letters that match and were not redriven, oldest first, at most `limit`. Those that another call redrives are left to it.
pub async fn take(
    conn: &mut PgConnection,
    org: OrganizationId,
    selection: &Selection,
    limit: i64,
) -> Result<Vec<ExecutionId>> {
    let rows = selected!(
        "select d.execution_id",
        "and d.redriven_as is null order by d.created_at, d.execution_id limit $7 for update skip locked",
        org,
        selection,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.execution_id).collect())
}

/// Removes letters that match, at most `limit`. Returns how many there were.
pub async fn purge(
    conn: &mut PgConnection,
    org: OrganizationId,
    selection: &Selection,
    limit: i64,
) -> Result<u64> {
    let done = selected!(
        "delete from runtime.dead_letters where (org_id, execution_id) in (select d.org_id, d.execution_id",
        "limit $7 for update skip locked)",
        org,
        selection,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Starts `new` in the place of the execution `old`: the same revision of the agent and the same input, and the steps that had
/// finished. Under the lock of [`take`].
pub async fn redrive(
    conn: &mut PgConnection,
    org: OrganizationId,
    old: ExecutionId,
    new: ExecutionId,
    by: Option<UserId>,
    traceparent: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "with made as (
            insert into runtime.agent_executions
                (org_id, id, agent_org_id, agent_id, agent_revision, session_id, call_stack, root_execution_id, initial_prompt, input,
                 priority, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before, traceparent, created_by, platforms,
                 forked_from, forked_from_step, last_event_seq)
            select e.org_id, $3, e.agent_org_id, e.agent_id, e.agent_revision, e.session_id, '{}', $3, e.initial_prompt, e.input,
                e.priority, e.queue_limit_ms, e.attempt_limit_ms, e.total_limit_ms, now(), $5, $4, e.platforms,
                e.id, e.error_step_key, 1
            from runtime.agent_executions as e
            where e.org_id = $1 and e.id = $2
            returning org_id, id, agent_id, priority, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before, platforms
        ), queued as (
            insert into runtime.execution_queue
                (org_id, execution_id, priority, available_at, rank, deadline, queue_deadline, total_deadline, attempt_limit_ms,
                 agent_id, platforms)
            select org_id, id, priority, not_before,
                (extract(epoch from not_before) * 1000)::bigint + (priority - 3) * $6::bigint,
                not_before + least(queue_limit_ms, total_limit_ms) * interval '1 millisecond',
                not_before + queue_limit_ms * interval '1 millisecond',
                not_before + total_limit_ms * interval '1 millisecond',
                attempt_limit_ms, agent_id, platforms
            from made
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, 1, 'execution_queued',
                jsonb_build_object('agent_id', agent_id, 'priority', priority, 'redrives', $2::uuid)
            from made
        ), copied as (
            insert into runtime.execution_steps
                (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, attempt,
                 failures, metadata, started_at, finished_at)
            select s.org_id, made.id, s.step_key, gen_random_uuid(), s.sequence, s.step_type, s.state, s.side_effect, s.input_hash,
                s.input, s.output, s.attempt, s.failures, s.metadata, s.started_at, s.finished_at
            from made
            join runtime.execution_steps as s on s.org_id = made.org_id and s.execution_id = $2
            where s.state = 'succeeded'
        )
        update runtime.dead_letters as d
        set redriven_as = made.id
        from made
        where d.org_id = made.org_id and d.execution_id = $2",
        org.0,
        old.0,
        new.0,
        by.map(|it| it.0),
        traceparent,
        AGEING_STEP_MS,
    )
    .execute(conn)
    .await?;
    Ok(())
}
