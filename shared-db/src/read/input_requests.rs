//! Questions that executions put to people.

use crate::{
    enums::{InputRequestState, MemberRole},
    error::{Error, Result},
    ids::{ExecutionId, InputRequestId, OrganizationId, UserId},
    json,
    page::{Cursor, Page, PageRequest, Paged},
    wire::timestamp,
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A row of `runtime.input_requests`, with the input of its step.
struct InputRequest {
    id: InputRequestId,
    execution_id: ExecutionId,
    step_key: String,
    request_type: String,
    prompt: String,
    input: Option<Value>,
    schema: Option<Value>,
    least_role: MemberRole,
    user_ids: Vec<Uuid>,
    default_response: Option<Value>,
    expires_at: Option<DateTime<Utc>>,
    state: InputRequestState,
    response: Option<Value>,
    responded_by: Option<UserId>,
    responded_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// What a list is narrowed to; `None` leaves it out of account.
#[derive(Clone, Debug, Default)]
pub struct InputRequestFilter {
    pub state: Option<InputRequestState>,
    pub execution: Option<ExecutionId>,
    /// What somebody may answer.
    pub answerable: Option<Answerer>,
}

/// Somebody who may answer.
#[derive(Clone, Copy, Debug)]
pub struct Answerer {
    pub role: MemberRole,
    pub user: Option<UserId>,
}

/// Runs a statement that begins with the columns of a question and ends in `$tail`.
macro_rules! input_request {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            InputRequest,
            r#"select r.id, r.execution_id, r.step_key, r.request_type, r.prompt, s.input as "input?", r.schema, r.least_role, r.user_ids,
                r.default_response, r.expires_at, r.state, r.response, r.responded_by, r.responded_at, r.created_at, r.updated_at
             from runtime.input_requests as r
             left join runtime.execution_steps as s
                on s.org_id = r.org_id and s.execution_id = r.execution_id and s.step_key = r.step_key "# + $tail
            $(, $arg)*
        )
    };
}

/// A question of the organization.
pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: InputRequestId,
) -> Result<pb::InputRequest> {
    let row = input_request!("where r.org_id = $1 and r.id = $2", org.0, id.0);
    let row = row.fetch_optional(conn).await?;
    row.map(Into::into).ok_or_else(|| Error::not_found("input_request", id))
}

/// The questions of the organization, newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &InputRequestFilter,
    page: &PageRequest,
) -> Result<Page<pb::InputRequest>> {
    let rows = input_request!(
        "where r.org_id = $1
           and ($2::runtime.input_request_state is null or r.state = $2)
           and ($3::uuid is null or r.execution_id = $3)
           and ($4::web.member_role is null or (r.least_role <= $4 and (cardinality(r.user_ids) = 0 or $5 = any(r.user_ids))))
           and ($6::timestamptz is null or (r.created_at, r.id) < ($6, $7))
         order by r.created_at desc, r.id desc
         limit $8",
        org.0,
        filter.state as Option<InputRequestState>,
        filter.execution.map(|it| it.0),
        filter.answerable.map(|it| it.role) as Option<MemberRole>,
        filter.answerable.and_then(|it| it.user).map(|it| it.0),
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, |row| Ok(row.into())).await
}

impl Paged for InputRequest {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}

impl From<InputRequest> for pb::InputRequest {
    fn from(it: InputRequest) -> Self {
        Self {
            id: it.id.to_string(),
            execution_id: it.execution_id.to_string(),
            step_key: it.step_key,
            request_type: it.request_type,
            prompt: it.prompt,
            input: it.input.map(json::to_value),
            schema: it.schema.and_then(json::to_struct),
            least_role: it.least_role.name().to_owned(),
            user_ids: it.user_ids.iter().map(Uuid::to_string).collect(),
            default_response: it.default_response.map(json::to_value),
            expire_time: it.expires_at.map(timestamp),
            state: pb::InputRequestState::from(it.state).into(),
            response: it.response.map(json::to_value),
            responded_by: it.responded_by.map(|it| it.to_string()).unwrap_or_default(),
            respond_time: it.responded_at.map(timestamp),
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
        }
    }
}
