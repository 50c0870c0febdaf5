//! Executions that failed in a way that only a person can mend.

use crate::{
    error::Result,
    ids::{AgentId, ExecutionId, OrganizationId},
    page::{Cursor, Page, PageRequest, Paged},
    wire::timestamp,
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use sqlx::PgConnection;

/// What a list is narrowed to; `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterFilter {
    pub agent: Option<AgentId>,
    pub reason: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

/// A row of `runtime.dead_letters`, with what its execution said.
struct DeadLetter {
    execution_id: ExecutionId,
    agent_id: AgentId,
    reason: String,
    redriven_as: Option<ExecutionId>,
    created_at: DateTime<Utc>,
    error_message: Option<String>,
    error_step_key: Option<String>,
}

/// The dead letters of the organization, newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &DeadLetterFilter,
    page: &PageRequest,
) -> Result<Page<pb::DeadLetter>> {
    let rows = sqlx::query_as!(
        DeadLetter,
        r#"select d.execution_id, d.agent_id, d.reason, d.redriven_as, d.created_at,
            e.error_message as "error_message?", e.error_step_key as "error_step_key?"
         from runtime.dead_letters as d
         left join runtime.agent_executions as e on e.org_id = d.org_id and e.id = d.execution_id
         where d.org_id = $1
           and ($2::uuid is null or d.agent_id = $2)
           and ($3::text is null or d.reason = $3)
           and ($4::timestamptz is null or d.created_at >= $4)
           and ($5::timestamptz is null or d.created_at < $5)
           and ($6::timestamptz is null or (d.created_at, d.execution_id) < ($6, $7))
         order by d.created_at desc, d.execution_id desc
         limit $8"#,
        org.0,
        filter.agent.map(|it| it.0),
        filter.reason,
        filter.from,
        filter.before,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

impl Paged for DeadLetter {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.execution_id.0)
    }
}

impl From<DeadLetter> for pb::DeadLetter {
    fn from(it: DeadLetter) -> Self {
        Self {
            execution_id: it.execution_id.to_string(),
            agent_id: it.agent_id.to_string(),
            reason: it.reason,
            message: it.error_message.unwrap_or_default(),
            step_key: it.error_step_key.unwrap_or_default(),
            redriven_as: it.redriven_as.map(|it| it.to_string()).unwrap_or_default(),
            create_time: Some(timestamp(it.created_at)),
        }
    }
}
