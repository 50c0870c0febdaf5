//! What an organization can subscribe to: the same for all of them.

use crate::resource::{Decimal, Object, resource};
use shared_db::ids::SubscriptionTierId;

resource! {
    /// What an organization can subscribe to: the same for all of them.
    SubscriptionTier in web.subscription_tiers, global {
        #[fixed] slug: String,
        name: String,
        monthly_credits: Option<Decimal>,
        concurrent_runs_max: Option<i32>,
        price_usd_monthly: Option<Decimal>,
        features: Object,
        position: i32,
        listed: bool,
    }
    filters {
        listed: bool = "listed = ?",
    }
    orders {
        "create_time desc" = created_at,
        "position" = position,
    }
}
