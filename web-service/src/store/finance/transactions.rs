//! A movement on a bank account.

use crate::resource::{Decimal, resource};
use chrono::{DateTime, Utc};
use shared_db::ids::{BankAccountId, TransactionId};

resource! {
    /// A movement on a bank account.
    Transaction in web.transactions, private {
        #[fixed] bank_account_id: BankAccountId,
        amount: Decimal,
        currency: String,
        description: String,
        category: String,
        pending: bool,
        posted_at as posted_time: DateTime<Utc>,
    }
    filters {
        bank_account_id: BankAccountId = "bank_account_id = ?",
        category: String = "category = ?",
        posted_after: DateTime<Utc> = "posted_at >= ?",
        posted_before: DateTime<Utc> = "posted_at < ?",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
    }
    orders {
        "posted_time desc" = posted_at,
        "create_time desc" = created_at,
    }
}
