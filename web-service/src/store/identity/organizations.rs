//! Organizations. Creating one, and listing more than one's own, crosses organizations: for a transaction of the platform.

use chrono::{DateTime, Utc};
use prost::Message;
use serde_json::Value;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, OrganizationId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct Organization {
    pub id: OrganizationId,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
    pub settings: Value,
    /// `None` while it has not subscribed to anything.
    pub subscription_info: Option<Value>,
    pub created_by: Option<UserId>,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewOrganization {
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
    pub settings: Value,
    pub created_by: Option<UserId>,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct OrganizationPatch {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub url: Option<Option<String>>,
    pub settings: Option<Value>,
}

/// Whose organizations a list shows.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    Everyone,
    Members(UserId),
    Own(OrganizationId),
}

/// Reads organizations with a statement whose column list is written once, here. What it has subscribed to is looked up in its place.
macro_rules! organization {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Organization,
            $head + r#" id, slug, name, description, url, settings,
                (
                    select jsonb_build_object('tier', tier.slug, 'status', it.status, 'period_end_time', it.period_end_at)
                    from web.subscriptions it
                    join web.subscription_tiers tier on tier.id = it.tier_id
                    where it.org_id = organizations.id and it.status <> 'ended'
                ) as "subscription_info: Value",
                created_by, etag, created_at, updated_at "# + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(conn: &mut PgConnection, org: OrganizationId) -> Result<Organization> {
    organization!(
        "select",
        "from web.organizations
         where id = $1",
        org.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("organization", org))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    whose: Whose,
    page: &PageRequest,
    message: impl Fn(Organization) -> Result<M>,
) -> Result<Page<M>> {
    let (own, member) = match whose {
        Whose::Everyone => (None, None),
        Whose::Members(user) => (None, Some(user.0)),
        Whose::Own(org) => (Some(org.0), None),
    };
    let rows = organization!(
        "select",
        "from web.organizations
         where ($1::uuid is null or id = $1)
           and ($2::uuid is null or id in (select org_id from web.organization_members where user_id = $2))
           and ($3::timestamptz is null or (created_at, id) < ($3, $4))
         order by created_at desc, id desc
         limit $5",
        own,
        member,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

pub async fn create(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: NewOrganization,
) -> Result<Organization> {
    organization!(
        "insert into web.organizations (id, slug, name, description, url, settings, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)
         returning",
        "",
        org.0,
        new.slug,
        new.name,
        new.description,
        new.url,
        new.settings,
        new.created_by.map(|it| it.0),
    )
    .fetch_one(conn)
    .await
    .map_err(|error| {
        let taken = || Error::AlreadyExists { resource: "organization", key: "slug" };
        Error::from(error).on_constraint("organizations_slug_key", taken)
    })
}

pub async fn update(
    conn: &mut PgConnection,
    org: OrganizationId,
    etag: Option<Etag>,
    patch: OrganizationPatch,
) -> Result<Organization> {
    let updated = organization!(
        "update web.organizations
         set name = coalesce($3, name),
             description = case when $4 then $5 else description end,
             url = case when $6 then $7 else url end,
             settings = coalesce($8, settings),
             etag = gen_random_uuid()
         where id = $1
           and ($2::uuid is null or etag = $2)
         returning",
        "",
        org.0,
        etag.map(|it| it.0),
        patch.name,
        patch.description.is_some(),
        patch.description.flatten(),
        patch.url.is_some(),
        patch.url.flatten(),
        patch.settings,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match updated {
        Some(it) => Ok(it),
        None => Err(absent_or_changed(conn, org).await),
    }
}

/// Deletes the organization with all that web keeps of it.
pub async fn delete(
    conn: &mut PgConnection,
    org: OrganizationId,
    etag: Option<Etag>,
) -> Result<()> {
    let deleted = sqlx::query!(
        "delete from web.organizations
         where id = $1
           and ($2::uuid is null or etag = $2)",
        org.0,
        etag.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await;
    match deleted {
        Ok(done) if done.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(absent_or_changed(conn, org).await),
        // A row of runtime that was not there a moment ago: only its tables refer here without a cascade.
        Err(sqlx::Error::Database(it)) if it.is_foreign_key_violation() => Err(in_use(org)),
        Err(error) => Err(error.into()),
    }
}

/// Fails while the organization has agents or executions, deleted ones included, or is about to.
pub async fn must_be_unused(conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
    let used = sqlx::query_scalar!(
        r#"select exists (select from runtime.agents where org_id = $1)
               or exists (select from runtime.agent_organizations where org_id = $1)
               or exists (select from runtime.agent_executions where org_id = $1)
               or exists (select from web.request_ids where org_id = $1 and state = 'pending') as "used!""#,
        org.0,
    )
    .fetch_one(conn)
    .await?;
    if used { Err(in_use(org)) } else { Ok(()) }
}

fn in_use(org: OrganizationId) -> Error {
    let problem = "the organization still has agents or executions";
    Error::precondition(Reason::ResourceInUse, format!("organization/{org}"), problem)
}

async fn absent_or_changed(conn: &mut PgConnection, org: OrganizationId) -> Error {
    match get(conn, org).await {
        Ok(_) => Error::etag_mismatch("organization", org),
        Err(error) => error,
    }
}

impl Paged for Organization {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
