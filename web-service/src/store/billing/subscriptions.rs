//! What the organization has subscribed to. It has one at a time that has not ended.

use crate::{
    resource::{Everyone, Get, Rules, resource},
    store::{billing::subscription_tiers::SubscriptionTier, enums::SubscriptionStatus},
};
use chrono::{DateTime, Utc};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{OrganizationId, SubscriptionId, SubscriptionTierId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// What the organization has subscribed to. It has one at a time that has not ended.
    Subscription in web.subscriptions, tenant, rules, verbs(get, list, create, update) {
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

impl Rules for Subscription {
    async fn creating(
        conn: &mut PgConnection,
        _: OrganizationId,
        new: &mut NewSubscription,
    ) -> Result<()> {
        on_offer(conn, new.tier_id).await
    }

    async fn updating(
        conn: &mut PgConnection,
        _: OrganizationId,
        _: SubscriptionId,
        patch: &mut SubscriptionPatch,
    ) -> Result<()> {
        match patch.tier_id {
            Some(tier) => on_offer(conn, tier).await,
            None => Ok(()),
        }
    }
}

/// Whether a tier can be subscribed to. Whoever has one that is not listed any more keeps it.
async fn on_offer(conn: &mut PgConnection, tier: SubscriptionTierId) -> Result<()> {
    if SubscriptionTier::get(conn, Everyone, tier).await?.listed {
        return Ok(());
    }
    let subject = format!("subscription_tier/{tier}");
    Err(Error::precondition(Reason::NotListed, subject, "it can not be subscribed to"))
}
