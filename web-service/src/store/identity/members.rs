//! Members: who belongs to an organization, and as what. A membership: add, get, list, update, remove.

use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    enums::MemberRole,
    error::{Error, Result},
    ids::{Etag, OrganizationId, UserId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct Member {
    pub org_id: OrganizationId,
    pub user_id: UserId,
    pub role: MemberRole,
    pub permissions: Vec<String>,
    pub email: String,
    pub name: String,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct MemberPatch {
    pub role: Option<MemberRole>,
    pub permissions: Option<Vec<String>>,
}

/// Reads members with a statement whose column list is written once, here. The rows of the membership are called `it`.
macro_rules! member {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Member,
            $head + " it.org_id, it.user_id, it.role, it.permissions, person.email, person.name, it.etag, it.created_at,
                it.updated_at " + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(conn: &mut PgConnection, org: OrganizationId, user: UserId) -> Result<Member> {
    member!(
        "select",
        "from web.organization_members it
         join web.users person on person.id = it.user_id
         where it.org_id = $1 and it.user_id = $2",
        org.0,
        user.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("member", user))
}

/// What a user is in an organization, if anything.
pub async fn role(
    conn: &mut PgConnection,
    org: OrganizationId,
    user: UserId,
) -> Result<Option<MemberRole>> {
    let role = sqlx::query_scalar!(
        r#"select role as "role: MemberRole"
         from web.organization_members
         where org_id = $1 and user_id = $2"#,
        org.0,
        user.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(role)
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: OrganizationId,
    role: Option<MemberRole>,
    page: &PageRequest,
    message: impl Fn(Member) -> Result<M>,
) -> Result<Page<M>> {
    let rows = member!(
        "select",
        "from web.organization_members it
         join web.users person on person.id = it.user_id
         where it.org_id = $1
           and ($2::web.member_role is null or it.role = $2)
           and ($3::timestamptz is null or (it.created_at, it.user_id) < ($3, $4))
         order by it.created_at desc, it.user_id desc
         limit $5",
        org.0,
        role as Option<MemberRole>,
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

pub async fn add(
    conn: &mut PgConnection,
    org: OrganizationId,
    user: UserId,
    role: MemberRole,
    permissions: &[String],
) -> Result<Member> {
    member!(
        "with it as (
             insert into web.organization_members (org_id, user_id, role, permissions)
             values ($1, $2, $3, $4)
             returning org_id, user_id, role, permissions, etag, created_at, updated_at
         )
         select",
        "from it
         join web.users person on person.id = it.user_id",
        org.0,
        user.0,
        role as MemberRole,
        permissions,
    )
    .fetch_one(conn)
    .await
    .map_err(|error| {
        Error::from(error)
            .on_constraint("organization_members_pkey", || Error::AlreadyExists {
                resource: "member",
                key: "email",
            })
            .on_constraint("organization_members_user_id_fkey", || Error::not_found("user", user))
            .on_constraint("organization_members_org_id_fkey", || {
                Error::not_found("organization", org)
            })
    })
}

pub async fn update(
    conn: &mut PgConnection,
    org: OrganizationId,
    user: UserId,
    etag: Option<Etag>,
    patch: MemberPatch,
) -> Result<Member> {
    let updated = member!(
        "update web.organization_members it
         set role = coalesce($4, it.role),
             permissions = coalesce($5, it.permissions),
             etag = gen_random_uuid()
         from web.users person
         where it.org_id = $1
           and it.user_id = $2
           and person.id = it.user_id
           and ($3::uuid is null or it.etag = $3)
         returning",
        "",
        org.0,
        user.0,
        etag.map(|it| it.0),
        patch.role as Option<MemberRole>,
        patch.permissions.as_deref(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(it) = updated {
        return Ok(it);
    }
    get(conn, org, user).await?;
    Err(Error::etag_mismatch("member", user))
}

/// Removes a member, and with it the keys that act for it here.
pub async fn remove(conn: &mut PgConnection, org: OrganizationId, user: UserId) -> Result<()> {
    let removed = sqlx::query!(
        "delete from web.organization_members
         where org_id = $1 and user_id = $2",
        org.0,
        user.0,
    )
    .execute(conn)
    .await?;
    match removed.rows_affected() {
        0 => Err(Error::not_found("member", user)),
        _ => Ok(()),
    }
}

/// Those who own an organization.
#[derive(Debug)]
pub struct Owners(Vec<Owner>);

#[derive(Debug)]
struct Owner {
    user_id: UserId,
    active: bool,
}

impl Owners {
    pub fn contains(&self, user: UserId) -> bool {
        self.0.iter().any(|it| it.user_id == user)
    }

    /// Without this one nobody would be left who can act as owner.
    pub fn end_with(&self, user: UserId) -> bool {
        self.contains(user) && !self.0.iter().any(|it| it.active && it.user_id != user)
    }
}

/// The owners, locked in the order of their ids: two who leave at once are counted one after the other.
pub async fn lock_owners(conn: &mut PgConnection, org: OrganizationId) -> Result<Owners> {
    let owners = sqlx::query_as!(
        Owner,
        "select it.user_id, person.active
         from web.organization_members it
         join web.users person on person.id = it.user_id
         where it.org_id = $1 and it.role = 'owner'
         order by it.user_id
         for update of it",
        org.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(Owners(owners))
}

impl Paged for Member {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.user_id.0)
    }
}
