//! Platforms: the same for all organizations. Everyone reads them; writing is for a transaction of the platform.

use chrono::{DateTime, Utc};
use prost::Message;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, PlatformId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct Platform {
    pub id: PlatformId,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewPlatform {
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub url: Option<String>,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct PlatformPatch {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub url: Option<Option<String>>,
}

/// Reads platforms with a statement whose column list is written once, here.
macro_rules! platform {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Platform,
            $head + " id, slug, name, description, url, etag, created_at, updated_at " + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(conn: &mut PgConnection, id: PlatformId) -> Result<Platform> {
    platform!(
        "select",
        "from web.app_platforms
         where id = $1",
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("platform", id))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    page: &PageRequest,
    message: impl Fn(Platform) -> Result<M>,
) -> Result<Page<M>> {
    let rows = platform!(
        "select",
        "from web.app_platforms
         where ($1::timestamptz is null or (created_at, id) < ($1, $2))
         order by created_at desc, id desc
         limit $3",
        page.after_time(),
        page.after_id(),
        page.limit(),
    )
    .fetch(conn);
    Page::collect(rows, page, message).await
}

pub async fn create(conn: &mut PgConnection, id: PlatformId, new: NewPlatform) -> Result<Platform> {
    platform!(
        "insert into web.app_platforms (id, slug, name, description, url)
         values ($1, $2, $3, $4, $5)
         returning",
        "",
        id.0,
        new.slug,
        new.name,
        new.description,
        new.url,
    )
    .fetch_one(conn)
    .await
    .map_err(|error| {
        let taken = || Error::AlreadyExists { resource: "platform", key: "slug" };
        Error::from(error).on_constraint("app_platforms_slug_key", taken)
    })
}

pub async fn update(
    conn: &mut PgConnection,
    id: PlatformId,
    etag: Option<Etag>,
    patch: PlatformPatch,
) -> Result<Platform> {
    let updated = platform!(
        "update web.app_platforms
         set name = coalesce($3, name),
             description = case when $4 then $5 else description end,
             url = case when $6 then $7 else url end,
             etag = gen_random_uuid()
         where id = $1
           and ($2::uuid is null or etag = $2)
         returning",
        "",
        id.0,
        etag.map(|it| it.0),
        patch.name,
        patch.description.is_some(),
        patch.description.flatten(),
        patch.url.is_some(),
        patch.url.flatten(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match updated {
        Some(it) => Ok(it),
        None => Err(absent_or_changed(conn, id).await),
    }
}

pub async fn delete(conn: &mut PgConnection, id: PlatformId, etag: Option<Etag>) -> Result<()> {
    let deleted = sqlx::query!(
        "delete from web.app_platforms
         where id = $1
           and ($2::uuid is null or etag = $2)",
        id.0,
        etag.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await
    .map_err(|error| {
        Error::from(error).on_constraint("core_actions_platform_id_fkey", || {
            let problem = "core actions still belong to the platform";
            Error::precondition(Reason::ResourceInUse, format!("platform/{id}"), problem)
        })
    })?;
    match deleted.rows_affected() {
        0 => Err(absent_or_changed(conn, id).await),
        _ => Ok(()),
    }
}

async fn absent_or_changed(conn: &mut PgConnection, id: PlatformId) -> Error {
    match get(conn, id).await {
        Ok(_) => Error::etag_mismatch("platform", id),
        Err(error) => error,
    }
}

impl Paged for Platform {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
