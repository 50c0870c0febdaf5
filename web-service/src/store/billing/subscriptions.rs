//! What the organization has subscribed to. It has one at a time that has not ended.

use crate::{resource::resource, store::enums::SubscriptionStatus};
use chrono::{DateTime, Utc};
use shared_db::ids::{SubscriptionId, SubscriptionTierId, UserId};

resource! {
    /// What the organization has subscribed to. It has one at a time that has not ended.
    Subscription in web.subscriptions, tenant, verbs(get, list, create, update) {
        tier_id: SubscriptionTierId,
        status: SubscriptionStatus,
        period_start_at as period_start_time: DateTime<Utc>,
        period_end_at as period_end_time: DateTime<Utc>,
        cancel_at_period_end: bool,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        status: SubscriptionStatus = "status = ?",
    }
}
