//! The statement that makes changes.
//!
//! What belongs to the changes comes as flat lists, each item with the position of its change: JSON for each change would be read
//! once and taken apart once more. The lists meet the changes in a full join, because that is done by hashing or sorting, however few
//! rows the planner expects; a join that could be a nested loop would be one, over all the items for each of five hundred changes.
//!
//! Whoever asks an execution to stop changes its rows between this statement's snapshot and its locks. PostgreSQL then joins the newest version of
//! such a row once more to what it was found by (`EvalPlanQual`), which it can from one materialized list, and not from two that are read
//! one after the other: of those it takes the first row for each, and the others would not be written.

use super::{ActionRow, Change, EventRow, StepRow};
use crate::store::queue::AGEING_STEP_MS;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::{PgConnection, types::Json};

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

macro_rules! column {
    // The types are not compared: sqlx knows slices that live longer.
    ($rows:ident, |$it:ident| $value:expr) => {
        $rows.iter().map(|$it| $value).collect::<Vec<_>>()
    };
}

/// The statement, with or without what changes rows of steps and of actions: to be ready for that, PostgreSQL opens all partitions of
/// both, whatever the batch is.
macro_rules! statement {
    ($conn:ident, $changes:ident, $events:ident, $steps:ident, $actions:ident, $rewritten:literal) => {
        sqlx::query!(
            r#"with asked as (
            select *
            from unnest(
                $1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::boolean[], $7::bigint[],
                $8::runtime.execution_state[], $9::jsonb[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[]
            ) with ordinality as asked (
                org_id, execution_id, token, begun_at, yields, ends, delay_ms, state, output, reason, message, step_key, dead_letter,
                events, position
            )
        ), kept as materialized (
            select asked.*, q.attempt, asked.yields and (q.cancel_requested or q.pause_requested) as yielded
            from asked
            join runtime.execution_queue as q
                on q.org_id = any(array[asked.org_id]) and q.execution_id = asked.execution_id and q.lease_token = asked.token
            where not asked.ends
            for update of q
        ), gone as (
            delete from runtime.execution_queue as q
            using asked
            where asked.ends and q.org_id = any(array[asked.org_id]) and q.execution_id = asked.execution_id and q.lease_token = asked.token
            returning asked.*, q.attempt, q.parent_execution_id is not null or q.execution_key is not null or exists (
                select from runtime.execution_queue as c where c.parent_execution_id = q.execution_id and c.org_id is not distinct from q.org_id
            ) as tied
        ), released as (
            update runtime.execution_queue as q
            set phase = (case when kept.delay_ms = 0 then 'ready' else 'delayed' end)::runtime.queue_phase,
                worker_id = null,
                lease_token = q.lease_token + 1,
                deadline = q.total_deadline,
                available_at = now() + kept.delay_ms * interval '1 millisecond',
                rank = (extract(epoch from now()) * 1000)::bigint + kept.delay_ms + (q.priority - 3) * $15::bigint
            from kept
            where q.org_id = any(array[kept.org_id]) and q.execution_id = kept.execution_id and kept.delay_ms is not null and not kept.yielded
        ), good as materialized (
            select org_id, execution_id, begun_at, ends, state, output, reason, message, step_key, dead_letter, events, position, attempt
            from kept
            where not yielded
            union all
            select org_id, execution_id, begun_at, ends, state, output, reason, message, step_key, dead_letter, events, position, attempt
            from gone
        ), moved as (
            update runtime.agent_executions as e
            set state = good.state,
                attempt = good.attempt,
                started_at = coalesce(e.started_at, good.begun_at),
                finished_at = case when good.ends then clock_timestamp() end,
                updated_at = now(),
                output = good.output,
                error_reason = good.reason,
                error_message = good.message,
                error_step_key = good.step_key,
                cancel_requested = e.cancel_requested and not good.ends,
                pause_requested = e.pause_requested and not good.ends,
                last_event_seq = e.last_event_seq + good.events
            from good
            where e.org_id = any(array[good.org_id]) and e.id = good.execution_id
            returning e.org_id, e.id, e.last_event_seq - good.events as told_before, good.position, e.agent_id, good.dead_letter
        ), lettered as (
            insert into runtime.dead_letters (org_id, execution_id, agent_id, reason)
            select org_id, id, agent_id, dead_letter
            from moved
            where dead_letter is not null
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type, step_key, payload, created_at)
            select moved.org_id, moved.id, moved.told_before + event.number,
                event.event_type, event.step_key, event.payload, coalesce(event.at, clock_timestamp())
            from moved
            full join unnest(
                $16::bigint[], $17::bigint[], $18::runtime.event_type[], $19::text[], $20::jsonb[], $21::timestamptz[]
            ) as event (position, number, event_type, step_key, payload, at) on event.position = moved.position
            where num_nulls(event.position, moved.position) = 0
        ), step as materialized (
            select moved.org_id, moved.id as execution_id, step.*,
                case when step.state in ('succeeded', 'failed', 'cancelled') then clock_timestamp() end as finished_at
            from moved
            full join unnest(
                $22::bigint[], $23::boolean[], $24::text[], $25::uuid[], $26::integer[], $27::runtime.step_type[],
                $28::runtime.step_state[], $29::web.side_effect[], $30::bytea[], $31::jsonb[], $32::jsonb[], $33::text[], $34::text[],
                $35::integer[], $36::integer[]
            ) as step (
                position, is_new, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
                error_message, attempt, failures
            ) on step.position = moved.position
            where num_nulls(step.position, moved.position) = 0
        ), stepped as (
            insert into runtime.execution_steps
                (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
                 error_message, attempt, failures, finished_at)
            select org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
                error_message, attempt, failures, finished_at
            from step
            where is_new
        ), action as materialized (
            select moved.org_id, moved.id as execution_id, action.*
            from moved
            full join unnest(
                $37::bigint[], $38::boolean[], $39::uuid[], $40::uuid[], $41::uuid[], $42::integer[], $43::integer[],
                $44::runtime.step_state[], $45::text[], $46::jsonb[], $47::jsonb[], $48::integer[], $49::text[], $50::text[]
            ) as action (
                position, is_new, id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request, response,
                http_status, error_reason, error_message
            ) on action.position = moved.position
            where num_nulls(action.position, moved.position) = 0
        ), acted as (
            insert into runtime.action_executions
                (org_id, execution_id, id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request,
                 response, http_status, error_reason, error_message, finished_at)
            select org_id, execution_id, id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request,
                response, http_status, error_reason, error_message, case when state <> 'running' then clock_timestamp() end
            from action
            where is_new
        )"# + $rewritten + r#"
        select position as "position!", yielded as "yielded!", null::uuid as "org: OrganizationId", null::uuid as "tied: ExecutionId"
        from kept
        union all
        select position, false, case when tied then org_id end, case when tied then execution_id end
        from gone"#,
        column!($changes, |it| it.lease.org.0) as _,
        column!($changes, |it| it.lease.execution.0) as _,
        column!($changes, |it| it.lease.token) as _,
        column!($changes, |it| it.begun_at) as _,
        column!($changes, |it| it.fate.yields()) as _,
        column!($changes, |it| it.fate.ends()) as _,
        column!($changes, |it| it.fate.delay_ms()) as _,
        column!($changes, |it| it.fate.state()) as _,
        column!($changes, |it| it.fate.output().map(Json)) as _,
        column!($changes, |it| it.fate.error().map(|it| it.0)) as _,
        column!($changes, |it| it.fate.error().map(|it| it.1)) as _,
        column!($changes, |it| it.fate.error().and_then(|it| it.2)) as _,
        column!($changes, |it| it.fate.dead_letter()) as _,
        column!($changes, |it| ordinal(it.events.len())) as _,
        AGEING_STEP_MS,
        column!($events, |it| it.position) as _,
        column!($events, |it| it.number) as _,
        column!($events, |it| it.row.event_type) as _,
        column!($events, |it| it.row.step_key.as_deref()) as _,
        column!($events, |it| Json(&it.row.payload)) as _,
        column!($events, |it| it.row.at) as _,
        column!($steps, |it| it.position) as _,
        column!($steps, |it| it.row.new) as _,
        column!($steps, |it| it.row.step_key.as_str()) as _,
        column!($steps, |it| it.row.id.0) as _,
        column!($steps, |it| it.row.sequence) as _,
        column!($steps, |it| it.row.step_type) as _,
        column!($steps, |it| it.row.state) as _,
        column!($steps, |it| it.row.side_effect) as _,
        column!($steps, |it| it.row.input_hash.as_slice()) as _,
        column!($steps, |it| Json(&it.row.input)) as _,
        column!($steps, |it| it.row.output.as_ref().map(Json)) as _,
        column!($steps, |it| it.row.error_reason.as_deref()) as _,
        column!($steps, |it| it.row.error_message.as_deref()) as _,
        column!($steps, |it| it.row.attempt) as _,
        column!($steps, |it| it.row.failures) as _,
        column!($actions, |it| it.position) as _,
        column!($actions, |it| it.row.new) as _,
        column!($actions, |it| it.row.id.0) as _,
        column!($actions, |it| it.row.step_id.0) as _,
        column!($actions, |it| it.row.core_action_id.0) as _,
        column!($actions, |it| it.row.core_action_version) as _,
        column!($actions, |it| it.row.attempt) as _,
        column!($actions, |it| it.row.state) as _,
        column!($actions, |it| it.row.idempotency_key.as_str()) as _,
        column!($actions, |it| it.row.request.as_ref().map(Json)) as _,
        column!($actions, |it| it.row.response.as_ref().map(Json)) as _,
        column!($actions, |it| it.row.http_status) as _,
        column!($actions, |it| it.row.error_reason.as_deref()) as _,
        column!($actions, |it| it.row.error_message.as_deref()) as _,
        )
        .fetch_all($conn)
        .await?
        .into_iter()
        .map(|it| (it.position, it.yielded, it.org.zip(it.tied)))
        .collect::<Vec<_>>()
    };
}

/// Makes changes, in one statement. The answers are in their order.
///
/// What ends needs no lock before it is deleted: the deletion is fenced itself.
///
/// Across organizations: in `Scope::Platform`, begun by primary key. So every table is joined by the whole of its key, the first column
/// compared by `= any(array[…])`, which leaves no order of an index that could be read instead.
pub async fn apply(conn: &mut PgConnection, changes: &[Change]) -> Result<Applied> {
    let events: Vec<Placed<'_, EventRow>> = placed(changes, |it| &it.events);
    let steps: Vec<Placed<'_, StepRow>> = placed(changes, |it| &it.steps);
    let actions: Vec<Placed<'_, ActionRow>> = placed(changes, |it| &it.actions);
    let rewritten = steps.iter().any(|it| !it.row.new) || actions.iter().any(|it| !it.row.new);
    let rows = if rewritten {
        statement!(
            conn,
            changes,
            events,
            steps,
            actions,
            r#", restepped as (
            update runtime.execution_steps as s
            set state = step.state,
                output = step.output,
                error_reason = step.error_reason,
                error_message = step.error_message,
                attempt = step.attempt,
                failures = step.failures,
                decision = null,
                finished_at = step.finished_at,
                updated_at = now()
            from step
            where not step.is_new
              and s.org_id = any(array[step.org_id]) and s.execution_id = step.execution_id and s.step_key = step.step_key
        ), reacted as (
            update runtime.action_executions as a
            set state = action.state,
                request = coalesce(action.request, a.request),
                response = action.response,
                http_status = action.http_status,
                error_reason = action.error_reason,
                error_message = action.error_message,
                finished_at = clock_timestamp(),
                updated_at = now(),
                duration_ms = greatest(0, extract(epoch from clock_timestamp() - a.started_at) * 1000)::bigint
            from action
            where not action.is_new
              and a.org_id = any(array[action.org_id]) and a.execution_id = action.execution_id and a.id = action.id
        )"#
        )
    } else {
        statement!(conn, changes, events, steps, actions, "")
    };
    let mut applied = Applied { changed: vec![Changed::Fenced; changes.len()], tied: Vec::new() };
    for (position, yielded, tied) in rows {
        applied.tied.extend(tied);
        let index = usize::try_from(position - 1).ok();
        if let Some(it) = index.and_then(|it| applied.changed.get_mut(it)) {
            *it = if yielded { Changed::Yielded } else { Changed::Done };
        }
    }
    Ok(applied)
}

/// A row that belongs to a change.
struct Placed<'c, T> {
    /// Of the change, counted from one.
    position: i64,
    /// Of the row among those of its change, counted from one.
    number: i64,
    row: &'c T,
}

fn placed<'c, T>(changes: &'c [Change], of: impl Fn(&'c Change) -> &'c [T]) -> Vec<Placed<'c, T>> {
    let mut placed = Vec::new();
    for (change, position) in changes.iter().zip(1..) {
        placed.extend(of(change).iter().zip(1..).map(|(row, number)| Placed {
            position,
            number,
            row,
        }));
    }
    placed
}

/// As the database counts.
fn ordinal(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
