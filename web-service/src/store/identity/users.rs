//! Users. They belong to no organization: what reaches past the members of one is for a transaction of the platform.

use crate::store::enums::SystemRole;
use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    enums::MemberRole,
    error::{Error, Reason, Result},
    ids::{Etag, OrganizationId, PurgeId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub active: bool,
    pub system_role: SystemRole,
    pub current_org_id: Option<OrganizationId>,
    pub last_login_at: Option<DateTime<Utc>>,
    pub subject: Option<String>,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: String,
    pub name: String,
    pub subject: Option<String>,
    pub system_role: SystemRole,
}

/// What authentication needs to know of the subject of a token.
#[derive(Clone, Debug)]
pub struct Subject {
    pub id: UserId,
    pub active: bool,
    pub system_role: SystemRole,
    /// Of its membership in the organization that it was asked for.
    pub role: Option<MemberRole>,
    pub permissions: Option<Vec<String>>,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    pub name: Option<String>,
    pub current_org: Option<Option<OrganizationId>>,
    pub system_role: Option<SystemRole>,
}

/// Reads users with a statement whose column list is written once, here.
macro_rules! user {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            User,
            $head + r#" id, email, name, active, system_role as "system_role: SystemRole", current_org_id, last_login_at, subject, etag,
                created_at, updated_at "# + $tail
            $(, $arg)*
        )
    };
}

/// A member of `org`; without an organization, anyone.
pub async fn get(conn: &mut PgConnection, org: Option<OrganizationId>, id: UserId) -> Result<User> {
    user!(
        "select",
        "from web.users
         where ($1::uuid is null or exists (
             select from web.organization_members where org_id = $1 and user_id = users.id
         ))
           and id = $2",
        org.map(|it| it.0),
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("user", id))
}

/// The members of `org`; without an organization, everyone.
pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: Option<OrganizationId>,
    page: &PageRequest,
    message: impl Fn(User) -> Result<M>,
) -> Result<Page<M>> {
    let rows = user!(
        "select",
        "from web.users
         where ($1::uuid is null or id in (select user_id from web.organization_members where org_id = $1))
           and ($2::timestamptz is null or (created_at, id) < ($2, $3))
         order by created_at desc, id desc
         limit $4",
        org.map(|it| it.0),
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

pub async fn create(conn: &mut PgConnection, id: UserId, new: NewUser) -> Result<User> {
    user!(
        "insert into web.users (id, email, name, subject, system_role)
         values ($1, $2, $3, $4, $5)
         returning",
        "",
        id.0,
        new.email,
        new.name,
        new.subject,
        new.system_role as SystemRole,
    )
    .fetch_one(conn)
    .await
    .map_err(|error| {
        Error::from(error)
            .on_constraint("users_email_key", || taken("email"))
            .on_constraint("users_subject_key", || taken("subject"))
    })
}

fn taken(key: &'static str) -> Error {
    Error::AlreadyExists { resource: "user", key }
}

/// The user with this address, made now if there is none. One who was there stays as it is.
pub async fn find_or_create(conn: &mut PgConnection, email: &str, name: &str) -> Result<UserId> {
    // The second look sees one that was made since the first began.
    for _ in 0..2 {
        let found = sqlx::query_scalar!(
            r#"with made as (
                 insert into web.users (id, email, name)
                 values ($1, $2, $3)
                 on conflict ((lower(email))) do nothing
                 returning id
             )
             select id as "id!: UserId" from made
             union all
             select id from web.users where lower(email) = lower($2)"#,
            UserId::generate().0,
            email,
            name,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(id) = found {
            return Ok(id);
        }
    }
    Err(Error::internal(anyhow::anyhow!("a user was there and then was not")))
}

/// Changes a user. The organization that it prefers must be one that it is a member of.
pub async fn update(
    conn: &mut PgConnection,
    id: UserId,
    etag: Option<Etag>,
    patch: UserPatch,
) -> Result<User> {
    if let Some(Some(org)) = patch.current_org {
        must_belong(conn, org, id).await?;
    }
    let updated = user!(
        "update web.users
         set name = coalesce($3, name),
             current_org_id = case when $4 then $5 else current_org_id end,
             system_role = coalesce($6, system_role),
             etag = gen_random_uuid()
         where id = $1
           and ($2::uuid is null or etag = $2)
         returning",
        "",
        id.0,
        etag.map(|it| it.0),
        patch.name,
        patch.current_org.is_some(),
        patch.current_org.flatten().map(|it| it.0),
        patch.system_role as Option<SystemRole>,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(it) = updated {
        return Ok(it);
    }
    get(conn, None, id).await?;
    Err(Error::etag_mismatch("user", id))
}

async fn must_belong(conn: &mut PgConnection, org: OrganizationId, id: UserId) -> Result<()> {
    let member = sqlx::query_scalar!(
        r#"select exists (
             select from web.organization_members where org_id = $1 and user_id = $2
         ) as "member!""#,
        org.0,
        id.0,
    )
    .fetch_one(conn)
    .await?;
    if member {
        return Ok(());
    }
    let problem = "must be an organization that the user is a member of";
    Err(Error::invalid_as(Reason::InvalidField, "user.current_organization_id", problem))
}

/// Lets a user call, or no longer.
pub async fn set_active(conn: &mut PgConnection, id: UserId, active: bool) -> Result<User> {
    user!(
        "update web.users
         set active = $2, etag = gen_random_uuid()
         where id = $1
         returning",
        "",
        id.0,
        active,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("user", id))
}

/// Takes from a user who is to be erased what lets it call and what tells who it is, and ownership of anything; its address is free.
/// What is left goes with its rows.
pub async fn withdraw(conn: &mut PgConnection, id: UserId, purge: PurgeId) -> Result<()> {
    sqlx::query!(
        "update web.users
         set active = false, email = $2, name = 'purged', subject = null, last_login_at = null, system_role = 'user',
             etag = gen_random_uuid()
         where id = $1",
        id.0,
        format!("{purge}@purged.invalid"),
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update web.organization_members
         set role = 'viewer', permissions = '{}', etag = gen_random_uuid()
         where user_id = $1",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The organizations that a user is a member of. For a transaction of the platform.
pub async fn organizations(conn: &mut PgConnection, id: UserId) -> Result<Vec<OrganizationId>> {
    let them = sqlx::query_scalar!(
        "select org_id
         from web.organization_members
         where user_id = $1
         order by org_id",
        id.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(them)
}

/// The user that tokens with this subject stand for, and its membership in `org`. For a transaction of the platform.
pub async fn find_by_subject(
    conn: &mut PgConnection,
    subject: &str,
    org: Option<OrganizationId>,
) -> Result<Option<Subject>> {
    let found = sqlx::query_as!(
        Subject,
        r#"select it.id, it.active, it.system_role as "system_role: SystemRole", member.role as "role?: MemberRole", member.permissions as "permissions?"
         from web.users it
         left join web.organization_members member on member.org_id = $1 and member.user_id = it.id
         where it.subject = $2"#,
        org.map(|it| it.0),
        subject,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found)
}

/// Notes that a user has called by a token, at most once an hour.
pub async fn touch(conn: &mut PgConnection, id: UserId) -> Result<()> {
    sqlx::query!(
        "update web.users
         set last_login_at = now()
         where id = $1
           and (last_login_at is null or last_login_at < now() - interval '1 hour')",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Paged for User {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
