//! Why an execution is not being done: everything that bears on it, read in one statement and so true of one moment, and the one
//! thing of it that keeps the execution.

mod sentence;

use crate::{
    enums::{ExecutionState, MemberRole, QueuePhase, StepType},
    error::{Error, Result},
    ids::{AgentId, ExecutionId, InputRequestId, OrganizationId, WorkerId},
    wire::timestamp,
};
use chrono::{DateTime, Utc};
use common_api::types::{self as pb, ExplanationReason as Why};
use sqlx::PgConnection;
use uuid::Uuid;

/// Everything that bears on it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Facts {
    read_time: DateTime<Utc>,
    state: ExecutionState,
    agent_id: AgentId,
    execution_key: Option<String>,
    error_reason: Option<String>,
    finished_at: Option<DateTime<Utc>>,
    /// `None`: it has ended.
    phase: Option<QueuePhase>,
    cancel_requested: bool,
    pause_requested: bool,
    attempt: i32,
    /// Nobody may take it before; `None`: until it is woken.
    available_at: Option<DateTime<Utc>>,
    not_before: DateTime<Utc>,
    due: bool,
    deadline: Option<DateTime<Utc>>,
    total_deadline: Option<DateTime<Utc>>,
    worker_id: Option<WorkerId>,
    worker_until: Option<DateTime<Utc>>,
    worker_alive: bool,
    anybody_alive: bool,
    /// The step that it is at.
    step_key: Option<String>,
    step_type: Option<StepType>,
    failures: i32,
    step_error: Option<String>,
    wait_until: Option<DateTime<Utc>>,
    input_request_id: Option<InputRequestId>,
    least_role: Option<MemberRole>,
    user_ids: Vec<Uuid>,
    expires_at: Option<DateTime<Utc>>,
    /// The workflow data that it waits for.
    data_key: Option<String>,
    children_live: i64,
    blocking: Option<ExecutionId>,
    org_max: Option<i32>,
    org_live: i64,
    agent_max: Option<i32>,
    agent_live: i64,
    /// The first platform of its agent that is at its limit.
    platform_id: Option<Uuid>,
    platform_max: Option<i32>,
    platform_live: i64,
    /// Counted up to [`AHEAD_MAX`].
    ahead: i64,
}

/// Executions that are counted as going before.
const AHEAD_MAX: i64 = 1000;

/// Explains an execution of the organization.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<pb::ExecutionExplanation> {
    let facts = read(conn, org, id).await?.ok_or_else(|| Error::not_found("execution", id))?;
    Ok(facts.explain(id))
}

#[expect(
    clippy::too_many_lines,
    reason = "it is one statement, so that all facts are of one moment"
)]
async fn read(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Option<Facts>> {
    Ok(sqlx::query_as!(
        Facts,
        r#"with it as materialized (
            select e.state, e.agent_id, e.execution_key, e.error_reason, e.finished_at, e.not_before, q.phase, q.cancel_requested,
                q.pause_requested, q.attempt, q.available_at, q.deadline, q.total_deadline, q.worker_id, q.platforms, q.rank,
                q.created_at as queued_at
            from runtime.agent_executions as e
            left join runtime.execution_queue as q on q.org_id = e.org_id and q.execution_id = e.id
            where e.org_id = $1 and e.id = $2
        ), live as materialized (
            select agent_id, platforms
            from runtime.execution_queue
            where org_id = $1 and phase = 'held' and exists (select from runtime.organization_limits where org_id = $1)
        )
        select
            now() as "read_time!",
            it.state,
            it.agent_id,
            it.execution_key,
            it.error_reason,
            it.finished_at,
            it.phase as "phase?: QueuePhase",
            coalesce(it.cancel_requested, false) as "cancel_requested!",
            coalesce(it.pause_requested, false) as "pause_requested!",
            coalesce(it.attempt, 0) as "attempt!",
            case when isfinite(it.available_at) then it.available_at end as available_at,
            it.not_before,
            coalesce(it.available_at <= now(), false) as "due!",
            it.deadline as "deadline?",
            it.total_deadline as "total_deadline?",
            it.worker_id as "worker_id?: WorkerId",
            w.lease_until as "worker_until?",
            coalesce(now() < w.lease_until, false) as "worker_alive!",
            exists (select from runtime.workers where now() < lease_until) as "anybody_alive!",
            step.step_key as "step_key?",
            step.step_type as "step_type?: StepType",
            coalesce(step.failures, 0) as "failures!",
            step.error_reason as "step_error?",
            step.wait_until as "wait_until?",
            asked.id as "input_request_id?: InputRequestId",
            asked.least_role as "least_role?: MemberRole",
            coalesce(asked.user_ids, '{}') as "user_ids!",
            asked.expires_at as "expires_at?",
            (
                select w.key from runtime.data_waits as w where w.org_id = $1 and w.execution_id = $2 and w.step_key = step.step_key
            ) as data_key,
            (
                select count(*)
                from runtime.execution_queue as c
                where c.org_id = $1 and c.parent_execution_id = $2 and not c.detached
            ) as "children_live!",
            (
                select b.execution_id
                from runtime.execution_queue as b
                where b.org_id = $1 and b.execution_key = it.execution_key
                  and (b.created_at, b.execution_id) < (it.queued_at, $2)
                order by b.created_at, b.execution_id
                limit 1
            ) as "blocking?: ExecutionId",
            (select executions_max from runtime.organization_limits where org_id = $1) as org_max,
            (select count(*) from live) as "org_live!",
            (
                select executions_max
                from runtime.concurrency_limits
                where org_id = $1 and subject = 'agent' and subject_id = it.agent_id
            ) as agent_max,
            (select count(*) from live where live.agent_id = it.agent_id) as "agent_live!",
            platform.subject_id as "platform_id?",
            platform.executions_max as "platform_max?",
            coalesce(platform.live, 0) as "platform_live!",
            (
                select count(*)
                from (
                    select
                    from runtime.execution_queue as before
                    where it.phase = 'ready' and before.phase = 'ready' and before.org_id = $1 and before.rank < it.rank
                    limit $3
                ) as before
            ) as "ahead!"
        from it
        left join runtime.workers as w on w.id = it.worker_id
        left join lateral (
            select s.step_key, s.step_type, s.failures, s.error_reason, s.wait_until
            from runtime.execution_steps as s
            where s.org_id = $1 and s.execution_id = $2 and s.finished_at is null
            order by s.sequence desc
            limit 1
        ) as step on true
        left join lateral (
            select r.id, r.least_role, r.user_ids, r.expires_at
            from runtime.input_requests as r
            where r.org_id = $1 and r.execution_id = $2 and r.step_key = step.step_key and r.state = 'open'
        ) as asked on true
        left join lateral (
            select c.subject_id, c.executions_max, counted.live
            from runtime.concurrency_limits as c
            cross join lateral (select count(*) as live from live where c.subject_id = any(live.platforms)) as counted
            where c.org_id = $1 and c.subject = 'platform' and c.subject_id = any(it.platforms) and c.executions_max <= counted.live
            order by c.subject_id
            limit 1
        ) as platform on true"#,
        org.0,
        id.0,
        AHEAD_MAX,
    )
    .fetch_optional(conn)
    .await?)
}

impl Facts {
    fn explain(&self, id: ExecutionId) -> pb::ExecutionExplanation {
        let why = self.why();
        pb::ExecutionExplanation {
            execution_id: id.to_string(),
            state: pb::ExecutionState::from(self.state).into(),
            reason: why.into(),
            sentence: self.sentence(why),
            read_time: Some(timestamp(self.read_time)),
            facts: Some(self.of(why)),
        }
    }

    fn why(&self) -> Why {
        match self.phase {
            None => Why::Ended,
            Some(QueuePhase::Held) if !self.worker_alive => Why::WorkerLost,
            Some(QueuePhase::Held) if self.cancel_requested => Why::Stopping,
            Some(QueuePhase::Held) => Why::Running,
            Some(QueuePhase::Paused) => Why::Paused,
            Some(QueuePhase::Delayed) if !self.due => self.waits_for(),
            Some(QueuePhase::Delayed | QueuePhase::Ready) => self.held_up_by(),
        }
    }

    /// Of one that nobody may take yet.
    fn waits_for(&self) -> Why {
        let signal = self.step_type == Some(StepType::Signal);
        match self.state {
            ExecutionState::Queued | ExecutionState::Running => self.put_off_by(),
            ExecutionState::WaitingEffect => Why::WaitingEffect,
            ExecutionState::WaitingChildren => Why::WaitingChildren,
            ExecutionState::WaitingInput | ExecutionState::Sleeping if signal => Why::WaitingSignal,
            ExecutionState::WaitingInput if self.input_request_id.is_some() => Why::WaitingInput,
            ExecutionState::WaitingInput => Why::WaitingDecision,
            ExecutionState::Sleeping if self.data_key.is_some() => Why::WaitingData,
            ExecutionState::Sleeping => Why::Sleeping,
            ExecutionState::Paused => Why::Paused,
            ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled => {
                Why::Ended
            }
        }
    }

    fn put_off_by(&self) -> Why {
        if self.available_at.is_none() && self.blocking.is_some() {
            Why::KeyHeld
        } else if self.read_time < self.not_before {
            Why::NotBefore
        } else {
            Why::Backoff
        }
    }

    /// Of one that anybody may take.
    fn held_up_by(&self) -> Why {
        let full = |max: Option<i32>, live: i64| max.is_some_and(|it| i64::from(it) <= live);
        if !self.anybody_alive {
            Why::NoWorker
        } else if full(self.org_max, self.org_live) {
            Why::OrganizationAtLimit
        } else if full(self.agent_max, self.agent_live) {
            Why::AgentAtLimit
        } else if self.platform_id.is_some() {
            Why::PlatformAtLimit
        } else if self.ahead > 0 {
            Why::BehindOthers
        } else {
            Why::Ready
        }
    }
}
