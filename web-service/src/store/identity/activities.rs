//! The audit trail. A log: append, get, list.

use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    error::{Error, Result},
    ids::{ActivityId, ApiKeyId, OrganizationId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct Activity {
    pub org_id: OrganizationId,
    pub id: ActivityId,
    pub actor_user_id: Option<UserId>,
    pub actor_api_key_id: Option<ApiKeyId>,
    pub action: String,
    pub resource_type: String,
    pub resource_id: Uuid,
    pub fields: Vec<String>,
    pub trace_id: Option<String>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewActivity<'a> {
    pub actor_user: Option<UserId>,
    pub actor_api_key: Option<ApiKeyId>,
    /// The method, such as `CreateCoreAction`.
    pub action: &'a str,
    pub resource_type: &'a str,
    pub resource_id: Uuid,
    pub fields: &'a [String],
    pub trace_id: Option<&'a str>,
}

/// `None` leaves a column out of account.
#[derive(Clone, Debug, Default)]
pub struct ActivityFilter {
    pub resource_type: Option<String>,
    pub resource_id: Option<Uuid>,
    pub actor_user: Option<UserId>,
    pub action: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

/// Reads activities with a statement whose column list is written once, here.
macro_rules! activity {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Activity,
            $head + " org_id, id, actor_user_id, actor_api_key_id, action, resource_type, resource_id, fields, trace_id,
                created_at " + $tail
            $(, $arg)*
        )
    };
}

pub async fn append(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: &NewActivity<'_>,
) -> Result<()> {
    sqlx::query!(
        "insert into web.activities
             (org_id, id, actor_user_id, actor_api_key_id, action, resource_type, resource_id, fields, trace_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        org.0,
        ActivityId::generate().0,
        new.actor_user.map(|it| it.0),
        new.actor_api_key.map(|it| it.0),
        new.action,
        new.resource_type,
        new.resource_id,
        new.fields,
        new.trace_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn get(conn: &mut PgConnection, org: OrganizationId, id: ActivityId) -> Result<Activity> {
    activity!(
        "select",
        "from web.activities
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("activity", id))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: OrganizationId,
    filter: &ActivityFilter,
    page: &PageRequest,
    message: impl Fn(Activity) -> Result<M>,
) -> Result<Page<M>> {
    let rows = activity!(
        "select",
        "from web.activities
         where org_id = $1
           and ($2::text is null or resource_type = $2)
           and ($3::uuid is null or resource_id = $3)
           and ($4::uuid is null or actor_user_id = $4)
           and ($5::text is null or action = $5)
           and ($6::timestamptz is null or created_at >= $6)
           and ($7::timestamptz is null or created_at < $7)
           and ($8::timestamptz is null or (created_at, id) < ($8, $9))
         order by created_at desc, id desc
         limit $10",
        org.0,
        filter.resource_type,
        filter.resource_id,
        filter.actor_user.map(|it| it.0),
        filter.action,
        filter.from,
        filter.before,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

impl Paged for Activity {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
