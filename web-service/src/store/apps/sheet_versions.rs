//! What was in a sheet at a time. It never changes.

use crate::resource::{Object, resource};
use shared_db::{
    error::{Error, Result},
    ids::{OrganizationId, SheetId, SheetVersionId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// What was in a sheet at a time. It never changes.
    // A value and no `exists`, which the planner could turn into a walk through all sheets.
    SheetVersion in web.sheet_versions, tenant, statements, verbs(get, list), visible(
        "(select s.deleted_at is null from web.sheets as s where s.org_id = sheet_versions.org_id and s.id = sheet_versions.sheet_id)"
    ) {
        #[given] sheet_id: SheetId,
        #[given] version: i32,
        #[given] content: Object,
        #[given] comment: String,
        #[given] restored_from: Option<i32>,
        #[given] created_by: Option<UserId>,
    }
    filters {
        sheet_id: SheetId = "sheet_id = ?",
    }
}

/// Bytes of what is in a sheet, as JSON.
pub const CONTENT_BYTES_MAX: usize = 1 << 20;

/// What becomes the next version of a sheet.
#[derive(Debug)]
pub struct NewSheetVersion {
    pub content: Object,
    pub comment: String,
    /// The version that it was made from, if that matters.
    pub expected_version: Option<i32>,
    pub restored_from: Option<i32>,
}

/// Appends a version. The sheet's row is locked first, so that versions of one sheet are numbered without gaps.
pub async fn append(
    conn: &mut PgConnection,
    org: OrganizationId,
    sheet: SheetId,
    id: SheetVersionId,
    new: NewSheetVersion,
    user: Option<UserId>,
) -> Result<SheetVersion> {
    let version = sqlx::query_scalar!(
        "update web.sheets
         set latest_version = latest_version + 1, etag = gen_random_uuid()
         where org_id = $1 and id = $2 and deleted_at is null
         returning latest_version",
        org.0,
        sheet.0,
    )
    .fetch_optional(&mut *conn)
    .await?
    .ok_or_else(|| Error::not_found("sheet", sheet))?;
    if new.expected_version.is_some_and(|it| it != version - 1) {
        return Err(Error::etag_mismatch("sheet", sheet));
    }
    let made = sheet_version!(
        "insert into web.sheet_versions (org_id, id, sheet_id, version, content, comment, restored_from, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         returning",
        "",
        org.0,
        id.0,
        sheet.0,
        version,
        new.content as Object,
        new.comment,
        new.restored_from,
        user.map(|it| it.0),
    )
    .fetch_one(conn)
    .await?;
    Ok(made)
}

/// What was in a sheet in one of its versions.
pub async fn content(
    conn: &mut PgConnection,
    org: OrganizationId,
    sheet: SheetId,
    version: i32,
) -> Result<Object> {
    sqlx::query_scalar!(
        r#"select content as "content: Object"
         from web.sheet_versions
         where org_id = $1 and sheet_id = $2 and version = $3"#,
        org.0,
        sheet.0,
        version,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| Error::not_found("sheet_version", format!("{sheet}/{version}")))
}
