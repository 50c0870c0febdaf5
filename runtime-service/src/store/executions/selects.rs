//! Executions that have not ended, by what they have in common: what many are stopped by.

use chrono::{DateTime, Utc};
use shared_db::{
    enums::ExecutionState,
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// What is meant; `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub agent: Option<AgentId>,
    pub session: Option<String>,
    pub states: Option<Vec<ExecutionState>>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
    pub ids: Option<Vec<Uuid>>,
}

/// Runs a statement over what matches: `$1` to `$7` are the organization and the selection.
macro_rules! selected {
    ($head:literal, $tail:literal, $org:expr, $selection:expr $(, $arg:expr)* $(,)?) => {
        sqlx::query!(
            $head + " from runtime.execution_queue as q
            join runtime.agent_executions as e on e.org_id = q.org_id and e.id = q.execution_id
            where q.org_id = $1
              and ($2::uuid is null or q.agent_id = $2)
              and ($3::text is null or e.session_id = $3)
              and ($4::runtime.execution_state[] is null or e.state = any($4))
              and ($5::timestamptz is null or $5 <= e.created_at)
              and ($6::timestamptz is null or e.created_at < $6)
              and ($7::uuid[] is null or q.execution_id = any($7)) " + $tail,
            $org.0,
            $selection.agent.map(|it| it.0),
            $selection.session,
            $selection.states.as_deref() as Option<&[ExecutionState]>,
            $selection.from,
            $selection.before,
            $selection.ids.as_deref()
            $(, $arg)*
        )
    };
}

/// Those that match and come after `after`, in the order of their ids, at most `limit`.
pub async fn select(
    conn: &mut PgConnection,
    org: OrganizationId,
    selection: &Selection,
    after: ExecutionId,
    limit: i64,
) -> Result<Vec<ExecutionId>> {
    let rows = selected!(
        "select q.execution_id",
        "and $8 < q.execution_id order by q.execution_id limit $9",
        org,
        selection,
        after.0,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.execution_id).collect())
}

/// How many match, counted up to `limit`.
pub async fn count(
    conn: &mut PgConnection,
    org: OrganizationId,
    selection: &Selection,
    limit: i64,
) -> Result<i64> {
    let row = selected!(
        "select count(*) as \"count!\" from (select 1",
        "limit $8) as matching",
        org,
        selection,
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.count)
}
