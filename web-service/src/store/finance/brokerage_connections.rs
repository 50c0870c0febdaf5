//! Where a user holds investments.

use crate::{resource::resource, store::enums::BrokerageStatus};
use chrono::{DateTime, Utc};
use shared_db::ids::BrokerageConnectionId;

resource! {
    /// Where a user holds investments.
    BrokerageConnection in web.brokerage_connections, private {
        institution: String,
        name: String,
        status: BrokerageStatus,
        synced_at as synced_time: Option<DateTime<Utc>>,
    }
    filters {
        status: BrokerageStatus = "status = ?",
    }
}
