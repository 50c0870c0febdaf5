//! `SubscriptionTierService`.

use crate::{resource::service, store::billing::subscription_tiers::SubscriptionTier};

service! { SubscriptionTier of subscription_tiers, get, list, create, update, delete }
