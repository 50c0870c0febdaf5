//! What the schema refuses, as the caller can understand it. Names of constraints are the link: `<table>_<columns>_<fkey|key|check>`.

use super::{Get, Resource};
use shared_db::error::{Error, Reason};
use sqlx::PgConnection;
use std::fmt::Display;
use uuid::Uuid;

/// A column that names another row, the kind of that row, and its id.
pub type Named = (&'static str, &'static str, Option<Uuid>);

pub fn not_found<R: Resource>(id: impl Display) -> Error {
    Error::not_found(R::KIND, id)
}

/// Why a statement that creates or changes was refused.
pub fn refused<R: Resource>(error: sqlx::Error, named: &[Named]) -> Error {
    let error = Error::from(error);
    let Some((columns, kind)) = error.constraint().and_then(|it| {
        let rest = it.strip_prefix(R::TABLE)?.strip_prefix('_')?;
        rest.rsplit_once('_').map(|(columns, kind)| (columns.to_owned(), kind.to_owned()))
    }) else {
        return error;
    };
    let ends = |column: &str| columns == column || columns.ends_with(&format!("_{column}"));
    let field = R::COLUMNS.iter().rev().find(|(column, _)| ends(column)).map(|it| it.1);
    match (kind.as_str(), field) {
        ("fkey", _) => match named.iter().find(|it| columns == it.0) {
            Some((_, kind, id)) => Error::not_found(kind, id.unwrap_or_default()),
            None => error,
        },
        ("key", Some(key)) => Error::AlreadyExists { resource: R::KIND, key },
        ("check", field) => {
            let path = field.map_or_else(|| R::KIND.to_owned(), |it| format!("{}.{it}", R::KIND));
            let rule = format!("{}_{columns}_check", R::TABLE);
            Error::invalid(path, format!("breaks the rule {rule} of the schema"))
        }
        _ => error,
    }
}

/// Why one could not be deleted: others refer to it.
pub fn in_use<R: Resource>(error: sqlx::Error, id: R::Id) -> Error {
    let database = error.as_database_error().filter(|it| it.is_foreign_key_violation());
    let user = database.and_then(|it| it.table()).map(str::to_owned);
    match user {
        Some(table) => {
            let problem = format!("rows of {table} still refer to it; change or delete them first");
            Error::precondition(Reason::ResourceInUse, format!("{}/{id}", R::KIND), problem)
        }
        None => error.into(),
    }
}

/// Why a guarded change found nothing: the row is gone, or its etag is another.
pub async fn absent_or_changed<R: Get>(
    conn: &mut PgConnection,
    owner: R::Owner,
    id: R::Id,
) -> Error {
    match R::get(conn, owner, id).await {
        Ok(_) => Error::etag_mismatch(R::KIND, id),
        Err(error) => error,
    }
}

/// Undeleting one that was not deleted changes nothing.
pub async fn already_there<R: Get>(
    conn: &mut PgConnection,
    owner: R::Owner,
    id: R::Id,
) -> Result<R, Error> {
    R::get(conn, owner, id).await
}
