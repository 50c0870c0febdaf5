//! One batch of one step. The statements are those of functions in the database (migration 0018): tables are given by name.

use super::{Order, Step, What};
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
    /// Nothing can be done about what is left.
    pub(super) blocked: bool,
    /// Of a walk through a column, the key to go on after; null when it is over.
    pub(super) after: Option<Value>,
}

impl Done {
    pub(super) fn nothing() -> Self {
        Self { erased: 0, replaced: 0, last: true, blocked: false, after: None }
    }
}

/// What one transaction does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    pub(super) service: Service,
    pub(super) order: Order,
    pub(super) step: &'a Step,
    pub(super) at_most: i32,
}

impl Batch<'_> {
    /// `before` is what the last batch of the step has left as [`Done::after`].
    pub(super) async fn run(self, conn: &mut PgConnection, before: Option<&Value>) -> Result<Done> {
        match &self.step.what {
            What::Rows(condition) => {
                let erased = self.rows(conn, condition).await?;
                let last = erased < i64::from(self.at_most);
                Ok(Done { erased, last, ..Done::nothing() })
            }
            What::Awaited(condition) => {
                let blocked = sqlx::query_scalar!(
                    r#"select freehold.has_rows($1::text::regclass, $2, $3) as "has!""#,
                    self.step.table,
                    condition,
                    self.order.id,
                )
                .fetch_one(conn)
                .await?;
                Ok(Done { blocked, ..Done::nothing() })
            }
            // It was gone through to its end.
            What::Ids(_) if before.is_some_and(Value::is_null) => {
                Ok(Done { after: before.cloned(), ..Done::nothing() })
            }
            What::Ids(column) => {
                let after = before.and_then(Value::as_array).map(|keys| {
                    keys.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
                });
                let (replaced, next) = self.ids(conn, column, after).await?;
                let last = next.is_none();
                let after = next.map_or(Value::Null, Value::from);
                Ok(Done { replaced, last, after: Some(after), ..Done::nothing() })
            }
        }
    }

    async fn rows(self, conn: &mut PgConnection, condition: &str) -> Result<i64> {
        let (table, purge) = (self.step.table.as_str(), self.order.purge.0);
        let erased = match (self.step.append_only, self.service) {
            (false, _) => return self.erase(conn, condition).await,
            (true, Service::Web) => {
                sqlx::query_scalar!(
                    r#"select freehold.purge_web_rows($1, $2, $3) as "erased!""#,
                    table,
                    purge,
                    self.at_most,
                )
                .fetch_one(conn)
                .await?
            }
            (true, Service::Runtime) => {
                sqlx::query_scalar!(
                    r#"select freehold.purge_runtime_rows($1, $2, $3) as "erased!""#,
                    table,
                    purge,
                    self.at_most,
                )
                .fetch_one(conn)
                .await?
            }
        };
        Ok(erased)
    }

    /// What the platform role may delete by itself.
    async fn erase(self, conn: &mut PgConnection, condition: &str) -> Result<i64> {
        if !self.step.refers_to_itself {
            return Ok(self.erase_some(conn, condition).await?);
        }
        // Rows that were made last go first, and so children before their parents. Where it is otherwise somewhere, all go at once.
        let mut some = conn.begin().await?;
        match self.erase_some(&mut some, condition).await {
            Ok(erased) => {
                some.commit().await?;
                Ok(erased)
            }
            Err(sqlx::Error::Database(it)) if it.is_foreign_key_violation() => {
                some.rollback().await?;
                Ok(Self { at_most: i32::MAX, ..self }.erase_some(conn, condition).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn erase_some(self, conn: &mut PgConnection, condition: &str) -> sqlx::Result<i64> {
        sqlx::query_scalar!(
            r#"select freehold.erase_rows($1::text::regclass, $2, $3, $4) as "erased!""#,
            self.step.table,
            condition,
            self.order.id,
            self.at_most,
        )
        .fetch_one(conn)
        .await
    }

    async fn ids(
        self,
        conn: &mut PgConnection,
        column: &str,
        after: Option<Vec<String>>,
    ) -> Result<(i64, Option<Vec<String>>)> {
        let (table, purge) = (self.step.table.as_str(), self.order.purge.0);
        let after = after.as_deref();
        macro_rules! replaced {
            ($sql:literal, $whose:expr) => {{
                let row = sqlx::query!($sql, table, column, $whose, after, self.at_most)
                    .fetch_one(conn)
                    .await?;
                (row.replaced, row.next)
            }};
        }
        Ok(match (self.step.append_only, self.service) {
            (false, _) => replaced!(
                r#"select replaced as "replaced!", next from freehold.replace_ids($1::text::regclass, $2, $3, $4, $5)"#,
                self.order.id
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
}
