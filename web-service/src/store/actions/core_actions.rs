//! Core actions: what the agents of an organization can do. runtime-service reads them.

use chrono::{DateTime, Utc};
use prost::Message;
use serde_json::Value;
use shared_db::{
    enums::{ActionKind, RiskLevel, SideEffect},
    error::{Error, Result},
    ids::{CoreActionId, Etag, OrganizationId, PlatformId},
    page::{Cursor, Page, PageRequest, Paged},
};
use sqlx::PgConnection;

#[derive(Clone, Debug)]
pub struct CoreAction {
    pub org_id: OrganizationId,
    pub id: CoreActionId,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub platform_id: Option<PlatformId>,
    pub version: i32,
    pub kind: ActionKind,
    pub config: Value,
    pub input_schema: Option<Value>,
    pub output_schema: Option<Value>,
    pub risk: RiskLevel,
    pub side_effect: SideEffect,
    pub scopes: Vec<String>,
    /// A decimal without needless zeros.
    pub price_credits: Option<String>,
    pub retry: Option<Value>,
    pub disabled: bool,
    pub etag: Etag,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct NewCoreAction {
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    pub platform_id: Option<PlatformId>,
    pub kind: ActionKind,
    pub config: Value,
    pub input_schema: Option<Value>,
    pub output_schema: Option<Value>,
    pub risk: RiskLevel,
    pub side_effect: SideEffect,
    pub scopes: Vec<String>,
    pub price_credits: Option<String>,
    pub retry: Option<Value>,
    pub disabled: bool,
}

/// `None` leaves a column as it is.
#[derive(Clone, Debug, Default)]
pub struct CoreActionPatch {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub platform_id: Option<Option<PlatformId>>,
    pub kind: Option<(ActionKind, Value)>,
    pub input_schema: Option<Option<Value>>,
    pub output_schema: Option<Option<Value>>,
    pub risk: Option<RiskLevel>,
    pub side_effect: Option<SideEffect>,
    pub scopes: Option<Vec<String>>,
    pub price_credits: Option<Option<String>>,
    pub retry: Option<Option<Value>>,
    pub disabled: Option<bool>,
}

/// Reads actions with a statement whose column list is written once, here.
macro_rules! core_action {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            CoreAction,
            $head + r#" org_id, id, slug, name, description, platform_id, version, kind, config, input_schema, output_schema,
                risk, side_effect, scopes, trim_scale(price_credits)::text as "price_credits", retry, disabled, etag,
                created_at, updated_at "# + $tail
            $(, $arg)*
        )
    };
}

pub async fn get(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: CoreActionId,
) -> Result<CoreAction> {
    core_action!(
        "select",
        "from web.core_actions
         where org_id = $1 and id = $2",
        org.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("core_action", id))
}

pub async fn list<M: Message>(
    conn: &mut PgConnection,
    org: OrganizationId,
    platform: Option<PlatformId>,
    page: &PageRequest,
    message: impl Fn(CoreAction) -> Result<M>,
) -> Result<Page<M>> {
    let rows = core_action!(
        "select",
        "from web.core_actions
         where org_id = $1
           and ($2::uuid is null or platform_id = $2)
           and ($3::timestamptz is null or (created_at, id) < ($3, $4))
         order by created_at desc, id desc
         limit $5",
        org.0,
        platform.map(|it| it.0),
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
    id: CoreActionId,
    new: NewCoreAction,
) -> Result<CoreAction> {
    let platform = new.platform_id;
    core_action!(
        "insert into web.core_actions
             (org_id, id, slug, name, description, platform_id, kind, config, input_schema, output_schema, risk, side_effect,
              scopes, price_credits, retry, disabled)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::numeric, $15, $16)
         returning",
        "",
        org.0,
        id.0,
        new.slug,
        new.name,
        new.description,
        platform.map(|it| it.0),
        new.kind as ActionKind,
        new.config,
        new.input_schema,
        new.output_schema,
        new.risk as RiskLevel,
        new.side_effect as SideEffect,
        &new.scopes,
        new.price_credits,
        new.retry,
        new.disabled,
    )
    .fetch_one(conn)
    .await
    .map_err(|error| {
        let taken = || Error::AlreadyExists { resource: "core_action", key: "slug" };
        with_platform(error.into(), platform).on_constraint("core_actions_slug_key", taken)
    })
}

/// Changes an action and raises its version.
pub async fn update(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: CoreActionId,
    etag: Option<Etag>,
    patch: CoreActionPatch,
) -> Result<CoreAction> {
    let platform = patch.platform_id.flatten();
    let (kind, config) = patch.kind.unzip();
    let updated = core_action!(
        "update web.core_actions
         set name = coalesce($4, name),
             description = case when $5 then $6 else description end,
             platform_id = case when $7 then $8 else platform_id end,
             kind = coalesce($9, kind),
             config = coalesce($10, config),
             input_schema = case when $11 then $12 else input_schema end,
             output_schema = case when $13 then $14 else output_schema end,
             risk = coalesce($15, risk),
             side_effect = coalesce($16, side_effect),
             scopes = coalesce($17, scopes),
             price_credits = case when $18 then $19::text::numeric else price_credits end,
             retry = case when $20 then $21 else retry end,
             disabled = coalesce($22, disabled),
             version = version + 1,
             etag = gen_random_uuid()
         where org_id = $1
           and id = $2
           and ($3::uuid is null or etag = $3)
         returning",
        "",
        org.0,
        id.0,
        etag.map(|it| it.0),
        patch.name,
        patch.description.is_some(),
        patch.description.flatten(),
        patch.platform_id.is_some(),
        platform.map(|it| it.0),
        kind as Option<ActionKind>,
        config,
        patch.input_schema.is_some(),
        patch.input_schema.flatten(),
        patch.output_schema.is_some(),
        patch.output_schema.flatten(),
        patch.risk as Option<RiskLevel>,
        patch.side_effect as Option<SideEffect>,
        patch.scopes.as_deref(),
        patch.price_credits.is_some(),
        patch.price_credits.flatten(),
        patch.retry.is_some(),
        patch.retry.flatten(),
        patch.disabled,
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(|error| with_platform(error.into(), platform))?;
    match updated {
        Some(it) => Ok(it),
        None => Err(absent_or_changed(conn, org, id).await),
    }
}

pub async fn delete(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: CoreActionId,
    etag: Option<Etag>,
) -> Result<()> {
    let deleted = sqlx::query!(
        "delete from web.core_actions
         where org_id = $1
           and id = $2
           and ($3::uuid is null or etag = $3)",
        org.0,
        id.0,
        etag.map(|it| it.0),
    )
    .execute(&mut *conn)
    .await?;
    match deleted.rows_affected() {
        0 => Err(absent_or_changed(conn, org, id).await),
        _ => Ok(()),
    }
}

async fn absent_or_changed(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: CoreActionId,
) -> Error {
    match get(conn, org, id).await {
        Ok(_) => Error::etag_mismatch("core_action", id),
        Err(error) => error,
    }
}

fn with_platform(error: Error, platform: Option<PlatformId>) -> Error {
    let Some(platform) = platform else { return error };
    error.on_constraint("core_actions_platform_id_fkey", || Error::not_found("platform", platform))
}

impl Paged for CoreAction {
    fn cursor(&self) -> Cursor {
        Cursor::at(self.created_at, self.id.0)
    }
}
