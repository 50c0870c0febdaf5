//! API keys. Rows hold the hash of a secret, never the secret; revoked ones stay, to be seen in lists.

use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    enums::MemberRole,
    error::{Error, Result},
    ids::{ApiKeyId, OrganizationId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct ApiKey {
    pub org_id: OrganizationId,
    pub id: ApiKeyId,
    pub name: String,
    pub prefix: String,
    pub role: MemberRole,
    pub user_id: Option<UserId>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewApiKey {
    pub name: String,
    pub prefix: String,
    pub key_hash: [u8; 32],
    pub role: MemberRole,
    pub user_id: Option<UserId>,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_by: Option<UserId>,
}

/// What authentication needs to know of a key.
#[derive(Clone, Debug)]
pub struct Credential {
    pub org_id: OrganizationId,
    pub id: ApiKeyId,
    pub key_hash: Vec<u8>,
    pub role: MemberRole,
    pub user_id: Option<UserId>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// Of the member that it acts for.
    pub member_role: Option<MemberRole>,
    pub permissions: Option<Vec<String>>,
    pub active: Option<bool>,
}

/// Reads keys with a statement whose column list is written once, here.
macro_rules! api_key {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            ApiKey,
            $head + " org_id, id, name, prefix, role, user_id, expires_at, revoked_at, last_used_at, created_by, created_at "
                + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(conn: &mut PgConnection, org: OrganizationId, id: ApiKeyId) -> Result<ApiKey> {
    api_key!(
        "select",
        "from web.api_keys
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("api_key", id))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: OrganizationId,
    page: &PageRequest,
    message: impl Fn(ApiKey) -> Result<M>,
) -> Result<Page<M>> {
    let rows = api_key!(
        "select",
        "from web.api_keys
         where org_id = $1
           and ($2::timestamptz is null or (created_at, id) < ($2, $3))
         order by created_at desc, id desc
         limit $4",
        org.0,
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
    id: ApiKeyId,
    new: NewApiKey,
) -> Result<ApiKey> {
    let user = new.user_id;
    api_key!(
        "insert into web.api_keys (org_id, id, name, prefix, key_hash, role, user_id, expires_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning",
        "",
        org.0,
        id.0,
        new.name,
        new.prefix,
        new.key_hash.as_slice(),
        new.role as MemberRole,
        user.map(|it| it.0),
        new.expires_at,
        new.created_by.map(|it| it.0),
    )
    .fetch_one(conn)
    .await
    .map_err(|error| {
        let no_member = || match user {
            Some(user) => Error::not_found("member", user),
            None => Error::internal(anyhow::anyhow!("a key for nobody referred to a member")),
        };
        Error::from(error).on_constraint("api_keys_user_id_fkey", no_member)
    })
}

/// Revokes a key for good. One that is revoked already stays as it is.
pub async fn revoke(conn: &mut PgConnection, org: OrganizationId, id: ApiKeyId) -> Result<ApiKey> {
    api_key!(
        "update web.api_keys
         set revoked_at = coalesce(revoked_at, now())
         where org_id = $1 and id = $2
         returning",
        "",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("api_key", id))
}

/// The key with this prefix, in whichever organization. For a transaction of the platform.
pub async fn find(conn: &mut PgConnection, prefix: &str) -> Result<Option<Credential>> {
    let found = sqlx::query_as!(
        Credential,
        r#"select it.org_id, it.id, it.key_hash, it.role, it.user_id, it.expires_at, it.revoked_at,
             member.role as "member_role?: MemberRole", member.permissions as "permissions?", person.active as "active?"
         from web.api_keys it
         left join web.organization_members member on member.org_id = it.org_id and member.user_id = it.user_id
         left join web.users person on person.id = it.user_id
         where it.prefix = $1"#,
        prefix,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Notes that a key was used, at most once a minute.
pub async fn touch(conn: &mut PgConnection, org: OrganizationId, id: ApiKeyId) -> Result<()> {
    sqlx::query!(
        "update web.api_keys
         set last_used_at = now()
         where org_id = $1
           and id = $2
           and (last_used_at is null or last_used_at < now() - interval '1 minute')",
        org.0,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Paged for ApiKey {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
