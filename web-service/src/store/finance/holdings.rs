//! How much of something a portfolio holds.

use crate::resource::{Decimal, resource};
use shared_db::ids::{HoldingId, PortfolioId};

resource! {
    /// How much of something a portfolio holds.
    Holding in web.holdings, private {
        #[fixed] portfolio_id: PortfolioId,
        #[fixed] symbol: String,
        quantity: Decimal,
        average_cost: Decimal,
        currency: String,
    }
    filters {
        portfolio_id: PortfolioId = "portfolio_id = ?",
    }
}
