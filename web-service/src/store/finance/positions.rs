//! A position that was opened, and perhaps closed.

use crate::{
    resource::{Decimal, resource},
    store::enums::PositionSide,
};
use chrono::{DateTime, Utc};
use shared_db::ids::{PortfolioId, PositionId};

resource! {
    /// A position that was opened, and perhaps closed.
    Position in web.positions, private {
        #[fixed] portfolio_id: PortfolioId,
        #[fixed] symbol: String,
        #[fixed] side: PositionSide,
        quantity: Decimal,
        entry_price: Decimal,
        exit_price: Option<Decimal>,
        currency: String,
        opened_at as opened_time: DateTime<Utc>,
        closed_at as closed_time: Option<DateTime<Utc>>,
    }
    filters {
        portfolio_id: PortfolioId = "portfolio_id = ?",
        open: Flag = "closed_at is null",
    }
    orders {
        "opened_time desc" = opened_at,
        "create_time desc" = created_at,
    }
}
