//! What workers write while they hold executions: the changes of many turns in one statement, each fenced by its own lease.
//!
//! A change takes its rows from the queue row under its token; with an old token it changes nothing, and the others of the batch
//! are not touched by that. [`crate::engine`] gathers what its turns write at the same moment, so that they share a commit.

use super::{executions::End, lease::Lease, queue::AGEING_STEP_MS};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared_db::{
    enums::{EventType, ExecutionState, SideEffect, StepState, StepType},
    error::Result,
    ids::{ActionExecutionId, CoreActionId, ExecutionId, OrganizationId, StepId},
};
use sqlx::{PgConnection, types::Json};
use std::time::Duration;

/// One turn's change: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Change {
    pub lease: Lease,
    /// The turn has not told yet that it began, so this does; by the database's clock.
    pub begun_at: Option<DateTime<Utc>>,
    /// Nothing of it happens when somebody has asked to stop or to pause.
    pub yields: bool,
    pub fate: Fate,
    pub steps: Vec<StepRow>,
    pub actions: Vec<ActionRow>,
    pub events: Vec<EventRow>,
}

/// What becomes of the lease.
#[derive(Clone, Debug)]
pub enum Fate {
    Keep,
    /// Back into the queue, to be claimed after the delay.
    Leave(Duration),
    End(End),
}

/// A step as it is from now on.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// There is no row of it yet.
    #[serde(skip)]
    pub new: bool,
    pub id: StepId,
    pub step_key: String,
    pub sequence: i32,
    pub step_type: StepType,
    pub state: StepState,
    pub side_effect: SideEffect,
    /// In hexadecimal.
    pub input_hash: String,
    pub input: Value,
    pub output: Option<Value>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
    pub attempt: i32,
    pub failures: i32,
}

/// An attempt to perform an action as it is from now on. What is absent stays as it was noted before the call.
#[derive(Clone, Debug, Serialize)]
pub struct ActionRow {
    /// There is no row of it yet.
    #[serde(skip)]
    pub new: bool,
    pub id: ActionExecutionId,
    pub step_id: StepId,
    pub core_action_id: CoreActionId,
    pub core_action_version: i32,
    pub attempt: i32,
    pub state: StepState,
    pub idempotency_key: String,
    pub request: Option<Value>,
    pub response: Option<Value>,
    pub http_status: Option<i32>,
    pub error_reason: Option<String>,
    pub error_message: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    pub event_type: EventType,
    pub step_key: Option<String>,
    pub payload: Value,
    /// When it happened, if that was before it is written.
    pub at: Option<DateTime<Utc>>,
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Done,
    /// Somebody has asked to stop or to pause, and it was to give way.
    Yielded,
    /// Somebody else holds the execution now, or it has ended.
    Fenced,
}

/// What a batch of changes came to.
#[derive(Clone, Debug)]
pub struct Applied {
    /// In the order of the changes.
    pub changed: Vec<Changed>,
    /// Those that have ended and have a parent, children or a key: something follows from their end.
    pub tied: Vec<(OrganizationId, ExecutionId)>,
}

/// What a change has of one kind; null when it has none, which is cheaper to step over than a list without items.
fn rows<'r, T: Serialize + 'r>(rows: impl Iterator<Item = &'r T>) -> Option<Json<Vec<&'r T>>> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then_some(Json(rows))
}

/// Makes changes, in one statement. The answers are in their order.
///
/// Across organizations: in `Scope::Platform`.
#[expect(clippy::too_many_lines, reason = "it is one statement")]
pub async fn apply(conn: &mut PgConnection, changes: &[Change]) -> Result<Applied> {
    macro_rules! column {
        // The types are not compared: sqlx knows slices that live longer.
        (|$it:ident| $value:expr) => {
            changes.iter().map(|$it| $value).collect::<Vec<_>>()
        };
    }
    let rows = sqlx::query!(
        r#"with asked as (
            select *
            from unnest(
                $1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::boolean[], $7::bigint[],
                $8::runtime.execution_state[], $9::jsonb[], $10::text[], $11::text[], $12::text[], $13::jsonb[], $14::jsonb[], $15::jsonb[],
                $16::jsonb[], $17::jsonb[], $19::text[]
            ) with ordinality as asked (
                org_id, execution_id, token, begun_at, yields, ends, delay_ms, state, output, reason, message, step_key, new_steps,
                steps, new_actions, actions, events, dead_letter, position
            )
        ), lease as materialized (
            select asked.*, q.attempt, q.cancel_requested or q.pause_requested as interrupted
            from asked
            join runtime.execution_queue as q
                on q.org_id = asked.org_id and q.execution_id = asked.execution_id and q.lease_token = asked.token
            for update of q
        ), good as materialized (
            select *
            from lease
            where not (yields and interrupted)
        ), gone as (
            delete from runtime.execution_queue as q
            using good
            where q.org_id = good.org_id and q.execution_id = good.execution_id and good.ends
            returning q.org_id, q.execution_id, q.parent_execution_id is not null or q.execution_key is not null or exists (
                select from runtime.execution_queue as c where c.parent_execution_id = q.execution_id and c.org_id is not distinct from q.org_id
            ) as tied
        ), released as (
            update runtime.execution_queue as q
            set phase = (case when good.delay_ms = 0 then 'ready' else 'delayed' end)::runtime.queue_phase,
                worker_id = null,
                lease_token = q.lease_token + 1,
                deadline = q.total_deadline,
                available_at = now() + good.delay_ms * interval '1 millisecond',
                rank = (extract(epoch from now()) * 1000)::bigint + good.delay_ms + (q.priority - 3) * $18::bigint
            from good
            where q.org_id = good.org_id and q.execution_id = good.execution_id and good.delay_ms is not null
        ), moved as (
            update runtime.agent_executions as e
            set state = good.state,
                attempt = good.attempt,
                started_at = coalesce(e.started_at, good.begun_at),
                finished_at = case when good.ends then clock_timestamp() end,
                output = good.output,
                error_reason = good.reason,
                error_message = good.message,
                error_step_key = good.step_key,
                cancel_requested = e.cancel_requested and not good.ends,
                pause_requested = e.pause_requested and not good.ends,
                last_event_seq = e.last_event_seq + jsonb_array_length(good.events)
            from good
            where e.org_id = good.org_id and e.id = good.execution_id
            returning e.org_id, e.id, e.last_event_seq - jsonb_array_length(good.events) as told_before, good.events,
                good.new_steps, good.steps, good.new_actions, good.actions, e.agent_id, good.dead_letter
        ), lettered as (
            insert into runtime.dead_letters (org_id, execution_id, agent_id, reason)
            select org_id, id, agent_id, dead_letter
            from moved
            where dead_letter is not null
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, step_key, payload, created_at)
            select moved.org_id, moved.id, moved.told_before + event.position,
                event.event_type, event.step_key, event.payload, coalesce(event.at, clock_timestamp())
            from moved
            cross join lateral rows from (
                jsonb_to_recordset(moved.events) as (event_type runtime.event_type, step_key text, payload jsonb, at timestamptz)
            ) with ordinality as event (event_type, step_key, payload, at, position)
        ), stepped as (
            insert into runtime.execution_steps
                (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
                 error_message, attempt, failures, finished_at)
            select moved.org_id, moved.id, step.step_key, step.id, step.sequence, step.step_type, step.state, step.side_effect,
                decode(step.input_hash, 'hex'), step.input, step.output, step.error_reason, step.error_message, step.attempt,
                step.failures, case when step.state in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end
            from moved
            cross join lateral jsonb_to_recordset(moved.new_steps) as step (
                step_key text, id uuid, sequence integer, step_type runtime.step_type, state runtime.step_state,
                side_effect web.side_effect, input_hash text, input jsonb, output jsonb, error_reason text, error_message text,
                attempt integer, failures integer
            )
            where moved.new_steps is not null
        ), restepped as (
            update runtime.execution_steps as s
            set state = step.state,
                output = step.output,
                error_reason = step.error_reason,
                error_message = step.error_message,
                attempt = step.attempt,
                failures = step.failures,
                decision = null,
                finished_at = case when step.state in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end
            from moved
            cross join lateral jsonb_to_recordset(moved.steps) as step (
                step_key text, state runtime.step_state, output jsonb, error_reason text, error_message text, attempt integer,
                failures integer
            )
            where moved.steps is not null
              and s.org_id = moved.org_id and s.execution_id = moved.id and s.step_key = step.step_key
        ), acted as (
            insert into runtime.action_executions
                (org_id, execution_id, id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request,
                 response, http_status, error_reason, error_message, finished_at)
            select moved.org_id, moved.id, action.id, action.step_id, action.core_action_id, action.core_action_version, action.attempt,
                action.state, action.idempotency_key, action.request, action.response, action.http_status, action.error_reason,
                action.error_message, case when action.state <> 'running' then clock_timestamp() end
            from moved
            cross join lateral jsonb_to_recordset(moved.new_actions) as action (
                id uuid, step_id uuid, core_action_id uuid, core_action_version integer, attempt integer,
                state runtime.step_state, idempotency_key text, request jsonb, response jsonb, http_status integer, error_reason text,
                error_message text
            )
            where moved.new_actions is not null
        ), reacted as (
            update runtime.action_executions as a
            set state = action.state,
                request = coalesce(action.request, a.request),
                response = action.response,
                http_status = action.http_status,
                error_reason = action.error_reason,
                error_message = action.error_message,
                finished_at = clock_timestamp(),
                duration_ms = greatest(0, extract(epoch from clock_timestamp() - a.started_at) * 1000)::bigint
            from moved
            cross join lateral jsonb_to_recordset(moved.actions) as action (
                id uuid, state runtime.step_state, request jsonb, response jsonb, http_status integer, error_reason text,
                error_message text
            )
            where moved.actions is not null and a.org_id = moved.org_id and a.execution_id = moved.id and a.id = action.id
        )
        select position, yields and interrupted as yielded, null::uuid as "org: OrganizationId", null::uuid as "tied: ExecutionId"
        from lease
        union all
        select null, null, org_id, execution_id
        from gone
        where tied"#,
        column!(|it| it.lease.org.0) as _,
        column!(|it| it.lease.execution.0) as _,
        column!(|it| it.lease.token) as _,
        column!(|it| it.begun_at) as _,
        column!(|it| it.yields) as _,
        column!(|it| matches!(it.fate, Fate::End(_))) as _,
        column!(|it| it.fate.delay_ms()) as _,
        column!(|it| it.fate.state()) as _,
        column!(|it| it.fate.output()) as _,
        column!(|it| it.fate.error().map(|it| it.0.to_owned())) as _,
        column!(|it| it.fate.error().map(|it| it.1.to_owned())) as _,
        column!(|it| it.fate.error().and_then(|it| it.2.map(str::to_owned))) as _,
        column!(|it| rows(it.steps.iter().filter(|it| it.new))) as _,
        column!(|it| rows(it.steps.iter().filter(|it| !it.new))) as _,
        column!(|it| rows(it.actions.iter().filter(|it| it.new))) as _,
        column!(|it| rows(it.actions.iter().filter(|it| !it.new))) as _,
        column!(|it| Json(&it.events)) as _,
        AGEING_STEP_MS,
        column!(|it| it.fate.dead_letter()) as _,
    )
    .fetch_all(conn)
    .await?;
    let mut applied = Applied { changed: vec![Changed::Fenced; changes.len()], tied: Vec::new() };
    for row in rows {
        applied.tied.extend(row.org.zip(row.tied));
        let position = row.position.and_then(|it| usize::try_from(it - 1).ok());
        if let Some(it) = position.and_then(|it| applied.changed.get_mut(it)) {
            *it = if row.yielded == Some(true) { Changed::Yielded } else { Changed::Done };
        }
    }
    Ok(applied)
}

impl Fate {
    fn delay_ms(&self) -> Option<i64> {
        match self {
            Self::Leave(delay) => Some(super::queue::millis(*delay)),
            Self::Keep | Self::End(_) => None,
        }
    }

    fn state(&self) -> ExecutionState {
        match self {
            Self::Keep => ExecutionState::Running,
            Self::Leave(_) => ExecutionState::Queued,
            Self::End(end) => end.state(),
        }
    }

    fn dead_letter(&self) -> Option<String> {
        match self {
            Self::End(end) => end.dead_letter().map(str::to_owned),
            Self::Keep | Self::Leave(_) => None,
        }
    }

    fn output(&self) -> Option<Value> {
        match self {
            Self::End(End::Succeeded { output }) => Some(output.clone()),
            Self::Keep | Self::Leave(_) | Self::End(_) => None,
        }
    }

    fn error(&self) -> Option<(&'static str, &str, Option<&str>)> {
        match self {
            Self::End(end) => end.error(),
            Self::Keep | Self::Leave(_) => None,
        }
    }
}
