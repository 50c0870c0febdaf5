//! Executions. A machine: made by `start`, moved by the verbs of [`crate::engine::state`], never deleted here.

mod cancels;
pub mod children;
mod ends;
pub mod forks;
#[doc(hidden)]
pub mod pauses;
mod selects;

pub use cancels::{Cancelled, Insistence, cancel, cancelled};
pub use ends::{End, end};
pub use pauses::{leave_paused, pause, resume};
pub use selects::{Selection, count, select};

pub use super::queue::millis;

use super::{
    lease::{Lease, WriteError, WriteResult},
    queue,
};
use crate::engine::state::{Verb, sources, target};
use chrono::{DateTime, Utc};
use serde_json::Value;
use shared_db::{
    enums::{ClosePolicy, ExecutionState},
    error::{Error, Result},
    ids::{AgentId, ExecutionId, OrganizationId, UserId, WorkerId},
};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct NewExecution {
    pub org: OrganizationId,
    /// Chosen by web, or by the execution that starts it.
    pub id: ExecutionId,
    pub agent_org_id: OrganizationId,
    pub agent_id: AgentId,
    /// The newest revision of the agent.
    pub agent_revision: i32,
    pub session_id: String,
    pub parent_execution_id: Option<ExecutionId>,
    /// The executions above it, outermost first.
    pub call_stack: Vec<Uuid>,
    pub close_policy: ClosePolicy,
    pub execution_key: Option<String>,
    /// Platforms that its agent calls.
    pub platforms: Vec<Uuid>,
    pub forked_from: Option<ExecutionId>,
    pub forked_from_step: Option<String>,
    pub initial_prompt: String,
    /// An object.
    pub input: Value,
    pub priority: i16,
    pub limits: Limits,
    pub not_before: Option<DateTime<Utc>>,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
    pub created_by: Option<UserId>,
}

impl NewExecution {
    /// The outermost execution of its tree.
    pub fn root(&self) -> ExecutionId {
        self.call_stack.first().map_or(self.id, |it| ExecutionId(*it))
    }
}

/// How long an execution may take. Queue and total count from its creation, or from `not_before` where that is later.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub queue: Duration,
    pub attempt: Duration,
    pub total: Duration,
}

/// An execution that was made.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    pub org: OrganizationId,
    pub id: ExecutionId,
    pub created_at: DateTime<Utc>,
    /// The worker that accepted it holds it already, under the token 1.
    pub held: bool,
}

/// The worker that takes what it accepts at once, where it may.
#[derive(Clone, Copy, Debug)]
pub struct Taker {
    pub worker: WorkerId,
}

/// Accepts executions: each with its place in the queue and its first event, all in one statement.
///
/// Those are missing from the answer that are there already, and those whose agent is gone, has another revision by now, or is not the
/// organization's to execute; a fork keeps the revision of its original. With a `taker`, what is due and belongs to organizations without limits is held by it from the start.
///
/// Across organizations: in `Scope::Platform`.
#[expect(clippy::too_many_lines, reason = "it is one statement")]
pub async fn start(
    conn: &mut PgConnection,
    new: &[NewExecution],
    taker: Option<Taker>,
) -> Result<Vec<Made>> {
    let list = |ids: &[Uuid]| {
        let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        format!("{{{}}}", ids.join(","))
    };
    macro_rules! column {
        // The types are not compared: sqlx knows slices that live longer.
        (|$it:ident| $value:expr) => {
            new.iter().map(|$it| $value).collect::<Vec<_>>()
        };
    }
    let rows = sqlx::query!(
        r#"with asked as (
            select *
            from unnest(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::integer[], $6::text[], $7::uuid[], $8::text[], $9::uuid[],
                $10::text[], $11::jsonb[], $12::smallint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::timestamptz[],
                $17::text[], $18::uuid[], $19::runtime.close_policy[], $20::text[], $21::text[], $22::uuid[], $23::text[]
            ) as asked (
                org_id, id, agent_org_id, agent_id, agent_revision, session_id, parent_execution_id, call_stack, root_execution_id,
                initial_prompt, input, priority, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before,
                traceparent, created_by, close_policy, execution_key, platforms, forked_from, forked_from_step
            )
        ), made as (
            insert into runtime.agent_executions
                (org_id, id, agent_org_id, agent_id, agent_revision, session_id, parent_execution_id, call_stack, root_execution_id,
                 initial_prompt, input, priority, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before,
                 traceparent, created_by, close_policy, execution_key, platforms, forked_from, forked_from_step, last_event_seq)
            select asked.org_id, asked.id, asked.agent_org_id, asked.agent_id, asked.agent_revision, asked.session_id,
                asked.parent_execution_id, asked.call_stack::uuid[], asked.root_execution_id, asked.initial_prompt, asked.input,
                asked.priority, asked.queue_limit_ms, asked.attempt_limit_ms, asked.total_limit_ms, coalesce(asked.not_before, now()),
                asked.traceparent, asked.created_by, asked.close_policy, asked.execution_key, asked.platforms::uuid[],
                asked.forked_from, asked.forked_from_step, 1
            from asked
            join runtime.agents as a
                on a.org_id = asked.agent_org_id and a.id = asked.agent_id
                    and (a.revision = asked.agent_revision or asked.forked_from is not null)
            where a.deleted_at is null
              and (a.org_id = asked.org_id or exists (
                select from runtime.agent_organizations as s
                where s.org_id = asked.org_id and s.agent_id = a.id and s.agent_org_id = a.org_id
              ))
            on conflict (org_id, id) do nothing
            returning org_id, id, agent_id, parent_execution_id, priority, queue_limit_ms, attempt_limit_ms, total_limit_ms, not_before,
                execution_key, platforms, created_at, forked_from, forked_from_step
        ), queued as (
            insert into runtime.execution_queue
                (org_id, execution_id, phase, worker_id, lease_token, attempt, priority, available_at, rank, deadline, queue_deadline,
                 total_deadline, attempt_limit_ms, agent_id, parent_execution_id, execution_key, platforms)
            select made.org_id, made.id, phase.phase,
                case when phase.phase = 'held' then $24::uuid end,
                case when phase.phase = 'held' then 1 else 0 end,
                case when phase.phase = 'held' then 1 else 0 end,
                made.priority, greatest(made.not_before, now()),
                (extract(epoch from greatest(made.not_before, now())) * 1000)::bigint + (made.priority - 3) * $25::bigint,
                case when phase.phase = 'held'
                    then now() + least(made.attempt_limit_ms, made.total_limit_ms) * interval '1 millisecond'
                    else greatest(made.not_before, now()) + least(made.queue_limit_ms, made.total_limit_ms) * interval '1 millisecond'
                end,
                case when phase.phase <> 'held' then greatest(made.not_before, now()) + made.queue_limit_ms * interval '1 millisecond' end,
                greatest(made.not_before, now()) + made.total_limit_ms * interval '1 millisecond',
                made.attempt_limit_ms, made.agent_id, made.parent_execution_id, made.execution_key, made.platforms
            from made
            cross join lateral (
                select (case
                    when now() < made.not_before then 'delayed'
                    when $24::uuid is not null and made.execution_key is null and made.forked_from is null
                        and exists (select from runtime.workers as w where w.id = $24 and now() < w.lease_until)
                        and not exists (select from runtime.organization_limits as l where l.org_id = made.org_id)
                    then 'held'
                    else 'ready'
                end)::runtime.queue_phase as phase
            ) as phase
            returning org_id, execution_id, phase
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, 1, 'execution_queued', jsonb_strip_nulls(jsonb_build_object(
                'agent_id', agent_id, 'priority', priority, 'forked_from', forked_from, 'from_step', forked_from_step
            ))
            from made
        )
        select
            queued.org_id as "org!",
            queued.execution_id as "id!",
            now() as "created_at!",
            (queued.phase = 'held') as "held!"
        from queued"#,
        column!(|it| it.org.0) as _,
        column!(|it| it.id.0) as _,
        column!(|it| it.agent_org_id.0) as _,
        column!(|it| it.agent_id.0) as _,
        column!(|it| it.agent_revision) as _,
        column!(|it| it.session_id.clone()) as _,
        column!(|it| it.parent_execution_id.map(|it| it.0)) as _,
        column!(|it| list(&it.call_stack)) as _,
        column!(|it| it.root().0) as _,
        column!(|it| it.initial_prompt.clone()) as _,
        column!(|it| it.input.clone()) as _,
        column!(|it| it.priority) as _,
        column!(|it| queue::millis(it.limits.queue)) as _,
        column!(|it| queue::millis(it.limits.attempt)) as _,
        column!(|it| queue::millis(it.limits.total)) as _,
        column!(|it| it.not_before) as _,
        column!(|it| it.traceparent.clone()) as _,
        column!(|it| it.created_by.map(|it| it.0)) as _,
        column!(|it| it.close_policy) as _,
        column!(|it| it.execution_key.clone()) as _,
        column!(|it| (!it.platforms.is_empty()).then(|| list(&it.platforms))) as _,
        column!(|it| it.forked_from.map(|it| it.0)) as _,
        column!(|it| it.forked_from_step.clone()) as _,
        taker.map(|it| it.worker.0),
        queue::AGEING_STEP_MS,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|it| Made { org: it.org, id: it.id, created_at: it.created_at, held: it.held })
        .collect())
}

/// Whether the execution that is there was started by the same command. The agent may have changed in between.
pub async fn is_same(conn: &mut PgConnection, new: &NewExecution) -> Result<bool> {
    let row = sqlx::query!(
        r#"select (agent_org_id = $3 and agent_id = $4 and session_id = $5 and initial_prompt = $6 and input = $7
            and parent_execution_id is not distinct from $8) as "same!"
         from runtime.agent_executions
         where org_id = $1 and id = $2"#,
        new.org.0,
        new.id.0,
        new.agent_org_id.0,
        new.agent_id.0,
        new.session_id,
        new.initial_prompt,
        new.input,
        new.parent_execution_id.map(|it| it.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some_and(|it| it.same))
}

/// The agent of an execution: its organization, its id, and the revision that is executed.
pub async fn agent_of(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Option<(OrganizationId, AgentId, i32)>> {
    let row = sqlx::query!(
        "select agent_org_id, agent_id, agent_revision
         from runtime.agent_executions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| (it.agent_org_id, it.agent_id, it.agent_revision)))
}

/// Says that a worker has begun its turn, if that was not said yet: claiming touches the queue alone, so it is told with the first thing that
/// the worker writes.
pub async fn announce(conn: &mut PgConnection, lease: &Lease) -> WriteResult {
    let row = fenced!(
        ", moved as (
            update runtime.agent_executions as e
            set state = 'running',
                attempt = q.attempt,
                started_at = coalesce(e.started_at, clock_timestamp()),
                last_event_seq = e.last_event_seq + 1
            from lease
            join runtime.execution_queue as q on q.org_id = $1 and q.execution_id = $2
            where e.org_id = lease.org_id and e.id = lease.execution_id and q.phase is not distinct from 'held' and e.attempt < q.attempt
              and e.state = any($4)
            returning e.org_id, e.id, e.last_event_seq, e.attempt, q.lost_leases
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, payload)
            select org_id, id, last_event_seq,
                (case when attempt = 1 then 'execution_started' else 'execution_resumed' end)::runtime.event_type,
                jsonb_build_object('attempt', attempt, 'lost_leases', lost_leases)
            from moved
        )
        select exists (select from lease) as \"held!\"",
        lease,
        sources(Verb::Claim) as Vec<ExecutionState>,
    )
    .fetch_one(conn)
    .await?;
    if row.held { Ok(()) } else { Err(WriteError::Fenced) }
}

/// Puts an execution that its holder leaves unfinished back into the queue.
pub async fn requeue(conn: &mut PgConnection, lease: &Lease, verb: Verb) -> WriteResult {
    let row = fenced!(
        ", moved as (
            update runtime.agent_executions as e
            set state = $4,
                pause_requested = e.pause_requested and $4 <> 'paused'::runtime.execution_state
            from lease
            where e.org_id = lease.org_id and e.id = lease.execution_id and e.state = any($5)
            returning e.id
        )
        select exists (select from lease) as \"held!\", exists (select from moved) as \"moved!\"",
        lease,
        target(verb) as ExecutionState,
        sources(verb) as Vec<ExecutionState>,
    )
    .fetch_one(conn)
    .await?;
    guarded(lease, verb, row.held, row.moved)
}

/// Nothing held: fenced. Held and not moved: the table of transitions says no, which is a defect.
fn guarded(lease: &Lease, verb: Verb, held: bool, moved: bool) -> WriteResult {
    match (held, moved) {
        (false, _) => Err(WriteError::Fenced),
        (true, true) => Ok(()),
        (true, false) => {
            let problem = anyhow::anyhow!(
                "execution {} is in a state that does not allow {verb:?}",
                lease.execution
            );
            Err(WriteError::Store(Error::Internal(problem)))
        }
    }
}
