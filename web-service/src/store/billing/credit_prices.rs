//! What an operation costs in credits. A price never changes: a new version takes its place.

use crate::resource::{Decimal, resource};
use chrono::{DateTime, Utc};
use shared_db::{error::Result, ids::CreditPriceId};
use sqlx::PgConnection;

resource! {
    /// What an operation costs in credits. A price never changes: a new version takes its place.
    CreditPrice in web.credit_prices, global, statements, verbs(get, list, create) {
        #[fixed] operation: String,
        #[fixed] unit: String,
        #[fixed] credits: Decimal,
        #[given] version: i32,
        #[fixed] effective_at as effective_time: DateTime<Utc>,
    }
    filters {
        operation: String = "operation = ?",
        current: Flag = "version = (select max(c.version) from web.credit_prices as c where c.operation = credit_prices.operation and c.effective_at <= now())",
    }
}

/// Sets the next version of an operation's price. Versions of one operation are made one after the other.
pub async fn create(
    conn: &mut PgConnection,
    id: CreditPriceId,
    new: NewCreditPrice,
) -> Result<CreditPrice> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('web.credit_prices ' || $1, 0))",
        new.operation,
    )
    .execute(&mut *conn)
    .await?;
    let made = credit_price!(
        "insert into web.credit_prices (id, operation, unit, credits, effective_at, version)
         select $1, $2, $3, $4::text::numeric, $5, coalesce(max(version), 0) + 1
         from web.credit_prices
         where operation = $2
         returning",
        "",
        id.0,
        new.operation,
        new.unit,
        new.credits.0,
        new.effective_at,
    )
    .fetch_one(conn)
    .await?;
    Ok(made)
}
