//! Executions that are looked for: lists and counts.
//!
//! One statement serves every choice of filters, and each choice wants another index: run it in a transaction that plans anew
//! ([`Db::begin_search`](crate::scope::Db::begin_search)). The columns that filters are indexed by change at most once in the life
//! of an execution, at its end, so that the updates in between stay cheap; `state` is not one of them.

use crate::{
    enums::ExecutionState,
    error::Result,
    execution_columns as execution,
    ids::{AgentId, ExecutionId, OrganizationId},
    page::{Page, PageRequest},
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use sqlx::PgConnection;

/// Counting stops here.
pub const COUNT_MAX: i64 = 100_000;

/// What a list is narrowed to; what is `None` or empty is left out of account.
#[derive(Clone, Debug, Default)]
pub struct ExecutionFilter {
    pub states: Vec<ExecutionState>,
    pub agent: Option<AgentId>,
    pub session: Option<String>,
    pub parent: Option<ExecutionId>,
    pub created_from: Option<DateTime<Utc>>,
    pub created_before: Option<DateTime<Utc>>,
    pub error_reason: Option<String>,
}

impl ExecutionFilter {
    fn states(&self) -> Option<&[ExecutionState]> {
        (!self.states.is_empty()).then_some(self.states.as_slice())
    }

    /// Whether every state that is asked for is one of these.
    fn only(&self, fits: impl Fn(ExecutionState) -> bool) -> bool {
        !self.states.is_empty() && self.states.iter().all(|it| fits(*it))
    }

    /// None of them has ended: those have a row in the queue.
    fn unfinished(&self) -> bool {
        self.only(|it| !it.is_final())
    }

    /// All of them carry an error: there is an index of those.
    fn failed(&self) -> bool {
        self.only(|it| matches!(it, ExecutionState::Failed | ExecutionState::Cancelled))
    }
}

/// How many executions are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateCount {
    pub state: ExecutionState,
    pub count: i64,
}

macro_rules! state_count {
    ($head:literal, $tail:literal $(+ $more:literal)* $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(StateCount, $head + $tail $(+ $more)* $(, $arg)*)
    };
}

/// Runs `$query` over the executions that a filter lets through: `$head`, what is common to all, `$tail`. The arguments of the tail
/// begin at `$11`.
macro_rules! matching {
    ($query:ident, $head:literal, $tail:literal, $org:expr, $filter:expr $(, $arg:expr)* $(,)?) => {
        $query!(
            $head,
            "from runtime.agent_executions
             where org_id = $1
               and ($2::runtime.execution_state[] is null or state = any($2))
               and ($3::uuid is null or agent_id = $3)
               and ($4::text is null or session_id = $4)
               and ($5::uuid is null or parent_execution_id = $5)
               and ($6::timestamptz is null or $6 <= created_at)
               and ($7::timestamptz is null or created_at < $7)
               and ($8::text is null or error_reason = $8)
               and (not $9::boolean or exists (
                 select from runtime.execution_queue as q where q.org_id = $1 and q.execution_id = agent_executions.id
               ))
               and (not $10::boolean or error_reason is not null) " + $tail,
            $org.0,
            $filter.states() as Option<&[ExecutionState]>,
            $filter.agent.map(|it| it.0),
            $filter.session,
            $filter.parent.map(|it| it.0),
            $filter.created_from,
            $filter.created_before,
            $filter.error_reason,
            $filter.unfinished(),
            $filter.failed()
            $(, $arg)*
        )
    };
}

/// The executions of the organization, newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &ExecutionFilter,
    page: &PageRequest,
) -> Result<Page<pb::Execution>> {
    let rows = matching!(
        execution,
        "select",
        "and ($11::timestamptz is null or (created_at, id) < ($11, $12))
         order by created_at desc, id desc
         limit $13",
        org,
        filter,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

/// How many of the executions of the organization are in which state, of the newest [`COUNT_MAX`].
pub async fn count(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &ExecutionFilter,
) -> Result<Vec<StateCount>> {
    Ok(matching!(
        state_count,
        r#"select state, count(*) as "count!" from (select state "#,
        "order by created_at desc, id desc limit $11) as newest
         group by state
         order by state",
        org,
        filter,
        COUNT_MAX,
    )
    .fetch_all(conn)
    .await?)
}
