//! One batch of one step. The statements are those of functions in the database (migration 0014): tables are given by name.

use super::{BATCH_ROWS, Order, Step, What};
use crate::{error::Result, scope::Service};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

/// What one transaction came to.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) erased: i64,
    pub(super) replaced: i64,
    /// Nothing is left of the step.
    pub(super) last: bool,
    /// Of a walk through a column, the key to go on after; null when it is over.
    pub(super) after: Option<Value>,
}

impl Done {
    pub(super) fn nothing() -> Self {
        Self { erased: 0, replaced: 0, last: true, after: None }
    }
}

pub(super) async fn run(
    conn: &mut PgConnection,
    service: Service,
    order: Order,
    step: &Step,
    before: Option<&Value>,
) -> Result<Done> {
    match &step.what {
        What::Rows(condition) => {
            let erased = rows(conn, service, order, step, condition).await?;
            let last = erased < i64::from(BATCH_ROWS);
            Ok(Done { erased, last, ..Done::nothing() })
        }
        // It was gone through to its end.
        What::Ids(_) if before.is_some_and(Value::is_null) => {
            Ok(Done { after: before.cloned(), ..Done::nothing() })
        }
        What::Ids(column) => {
            let after = before.and_then(Value::as_array).map(|keys| {
                keys.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
            });
            let (replaced, next) = ids(conn, service, order, step, column, after).await?;
            let last = next.is_none();
            let after = next.map_or(Value::Null, Value::from);
            Ok(Done { erased: 0, replaced, last, after: Some(after) })
        }
    }
}

async fn rows(
    conn: &mut PgConnection,
    service: Service,
    order: Order,
    step: &Step,
    condition: &str,
) -> Result<i64> {
    let (table, purge) = (step.table.as_str(), order.purge.0);
    let erased = match (step.append_only, service) {
        (false, _) => return erase(conn, order, step, condition).await,
        (true, Service::Web) => {
            sqlx::query_scalar!(
                r#"select freehold.purge_web_rows($1, $2, $3) as "erased!""#,
                table,
                purge,
                BATCH_ROWS,
            )
            .fetch_one(conn)
            .await?
        }
        (true, Service::Runtime) => {
            sqlx::query_scalar!(
                r#"select freehold.purge_runtime_rows($1, $2, $3) as "erased!""#,
                table,
                purge,
                BATCH_ROWS,
            )
            .fetch_one(conn)
            .await?
        }
    };
    Ok(erased)
}

/// What the platform role may delete by itself.
async fn erase(conn: &mut PgConnection, order: Order, step: &Step, condition: &str) -> Result<i64> {
    if !step.refers_to_itself {
        return Ok(erase_some(conn, order, step, condition, BATCH_ROWS).await?);
    }
    // Rows that were made last go first, and so children before their parents. Where it is otherwise somewhere, all go at once.
    let mut some = conn.begin().await?;
    match erase_some(&mut some, order, step, condition, BATCH_ROWS).await {
        Ok(erased) => {
            some.commit().await?;
            Ok(erased)
        }
        Err(sqlx::Error::Database(it)) if it.is_foreign_key_violation() => {
            some.rollback().await?;
            Ok(erase_some(conn, order, step, condition, i32::MAX).await?)
        }
        Err(error) => Err(error.into()),
    }
}

async fn erase_some(
    conn: &mut PgConnection,
    order: Order,
    step: &Step,
    condition: &str,
    at_most: i32,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select freehold.erase_rows($1::text::regclass, $2, $3, $4) as "erased!""#,
        step.table,
        condition,
        order.id,
        at_most,
    )
    .fetch_one(conn)
    .await
}

async fn ids(
    conn: &mut PgConnection,
    service: Service,
    order: Order,
    step: &Step,
    column: &str,
    after: Option<Vec<String>>,
) -> Result<(i64, Option<Vec<String>>)> {
    let (table, purge, after) = (step.table.as_str(), order.purge.0, after.as_deref());
    macro_rules! replaced {
        ($sql:literal, $whose:expr) => {{
            let row = sqlx::query!($sql, table, column, $whose, after, BATCH_ROWS)
                .fetch_one(conn)
                .await?;
            (row.replaced, row.next)
        }};
    }
    Ok(match (step.append_only, service) {
        (false, _) => replaced!(
            r#"select replaced as "replaced!", next from freehold.replace_ids($1::text::regclass, $2, $3, $4, $5)"#,
            order.id
        ),
        (true, Service::Web) => replaced!(
            r#"select replaced as "replaced!", next from freehold.purge_web_ids($1, $2, $3, $4, $5)"#,
            purge
        ),
        (true, Service::Runtime) => replaced!(
            r#"select replaced as "replaced!", next from freehold.purge_runtime_ids($1, $2, $3, $4, $5)"#,
            purge
        ),
    })
}
