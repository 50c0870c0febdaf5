//! Executions that failed in a way that only a person can mend. Filed with the end of the execution, in the same statement; see
//! [`super::executions::End::dead_letter`].

use chrono::{DateTime, Utc};
use shared_db::{
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId},
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
    /// Those behind this one, in the order in which they are redriven.
    pub after: Option<Place>,
}

/// Where a letter stands in the order in which they are redriven: the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub created_at: DateTime<Utc>,
    pub execution: ExecutionId,
}

/// Runs a statement over the letters that match: `$1` to `$8` are the organization and the selection.
macro_rules! selected {
    ($head:literal, $tail:literal, $org:expr, $selection:expr $(, $arg:expr)* $(,)?) => {
        sqlx::query!(
            $head + " from runtime.dead_letters as d
            where d.org_id = $1
              and ($2::uuid is null or d.agent_id = $2)
              and ($3::text is null or d.reason = $3)
              and ($4::timestamptz is null or $4 <= d.created_at)
              and ($5::timestamptz is null or d.created_at < $5)
              and ($6::uuid[] is null or d.execution_id = any($6))
              and ($7::timestamptz is null or (d.created_at, d.execution_id) > ($7, $8)) " + $tail,
            $org.0,
            $selection.agent.map(|it| it.0),
            $selection.reason,
            $selection.from,
            $selection.before,
            $selection.ids.as_deref(),
            $selection.after.map(|it| it.created_at),
            $selection.after.map(|it| it.execution.0)
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
        "and (not $9 or d.redriven_as is null) limit $10) as matching",
        org,
        selection,
        open,
        limit,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.count)
}

/// Letters that match and were not redriven, oldest first, at most `limit`.
pub async fn open(
    conn: &mut PgConnection,
    org: OrganizationId,
    selection: &Selection,
    limit: i64,
) -> Result<Vec<Place>> {
    let rows = selected!(
        "select d.created_at, d.execution_id",
        "and d.redriven_as is null
        order by d.created_at, d.execution_id limit $9",
        org,
        selection,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|it| Place { created_at: it.created_at, execution: it.execution_id }).collect())
}

/// Locks a letter until the transaction ends, and says how many days ago its execution was born. `None` when it was redriven or
/// removed, or another call is at it.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
) -> Result<Option<i64>> {
    let row = sqlx::query!(
        r#"select floor(extract(epoch from now()) / 86400
                - ('x' || translate(left(execution_id::text, 13), '-', ''))::bit(48)::bigint / 86400000.0)::bigint as "age_days!"
         from runtime.dead_letters
         where org_id = $1 and execution_id = $2 and redriven_as is null
         for update skip locked"#,
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|it| it.age_days))
}

/// Names the execution that was started in the place of a letter.
pub async fn redriven(
    conn: &mut PgConnection,
    org: OrganizationId,
    old: ExecutionId,
    new: ExecutionId,
) -> Result<()> {
    sqlx::query!(
        "update runtime.dead_letters
         set redriven_as = $3
         where org_id = $1 and execution_id = $2",
        org.0,
        old.0,
        new.0,
    )
    .execute(conn)
    .await?;
    Ok(())
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
        "limit $9 for update skip locked)",
        org,
        selection,
        limit,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
