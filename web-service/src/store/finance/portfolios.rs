//! A set of investments.

use crate::resource::resource;
use shared_db::ids::{BrokerageConnectionId, PortfolioId};

resource! {
    /// A set of investments.
    Portfolio in web.portfolios, private {
        name: String,
        currency: String,
        brokerage_connection_id: Option<BrokerageConnectionId>,
    }
    filters {
        brokerage_connection_id: BrokerageConnectionId = "brokerage_connection_id = ?",
    }
}
