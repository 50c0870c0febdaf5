//! `SubscriptionService`.

use crate::{resource::service, store::billing::subscriptions::Subscription};

service! { Subscription of subscriptions, get, list, create, update }
