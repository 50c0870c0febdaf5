//! What is sold: prices that never change, tiers, and one subscription at a time.

use crate::conformance::resources::needed::tier;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::WorkerId};
use std::collections::BTreeSet;
use tonic::Code;

#[tokio::test]
async fn a_new_price_is_the_next_version_also_when_many_set_it_at_once() {
    let org = Stack::shared().await.organization().await;
    let operation = format!("op.{}", WorkerId::generate().0.simple());
    let set = async |credits: String| {
        let price = json!({
            "operation": operation, "unit": "call", "credits": credits, "effective_time": "2026-11-01T00:00:00Z",
        });
        let request = json!({ "credit_price": price });
        let set = org.everywhere().call("CreditPriceService/CreateCreditPrice", request).await;
        set.unwrap()["version"].as_i64().unwrap()
    };
    let versions: BTreeSet<_> =
        join_all((1..=5).map(|it| set(format!("0.{it}")))).await.into_iter().collect();
    assert_eq!(versions, (1..=5).collect());
    let list = json!({ "operation": operation, "current": true });
    let list = org.viewer().call("CreditPriceService/ListCreditPrices", list).await.unwrap();
    let current: Vec<_> =
        list["credit_prices"].as_array().unwrap().iter().map(|it| &it["version"]).collect();
    assert_eq!(current, [&json!(5)]);
}

#[tokio::test]
async fn a_price_that_is_announced_hides_none_that_is_in_force() {
    let org = Stack::shared().await.organization().await;
    let operation = format!("op.{}", WorkerId::generate().0.simple());
    let announced = "2099-01-01T00:00:00Z";
    for from in ["2026-11-01T00:00:00Z", announced] {
        let price = json!({
            "operation": operation, "unit": "call", "credits": "1", "effective_time": from,
        });
        let request = json!({ "credit_price": price });
        org.everywhere().call("CreditPriceService/CreateCreditPrice", request).await.unwrap();
    }
    let list = json!({ "operation": operation, "current": true });
    let list = org.viewer().call("CreditPriceService/ListCreditPrices", list).await.unwrap();
    let versions: Vec<_> =
        list["credit_prices"].as_array().unwrap().iter().map(|it| &it["version"]).collect();
    assert_eq!(versions, [&json!(1)]);
}

#[tokio::test]
async fn an_organization_says_what_it_has_subscribed_to() {
    let org = Stack::shared().await.organization().await;
    let tier = tier(&org, "Pro").await;
    let info = async || {
        let get = json!({ "id": org.id });
        let org = org.viewer().call("OrganizationService/GetOrganization", get).await.unwrap();
        org["subscription_info"].clone()
    };
    assert!(info().await.as_object().is_none_or(serde_json::Map::is_empty));
    let subscription = json!({
        "tier_id": tier, "period_start_time": "2026-11-01T00:00:00Z", "period_end_time": "2026-12-01T00:00:00Z",
    });
    let request = json!({ "subscription": subscription });
    let made = org.owner().call("SubscriptionService/CreateSubscription", request).await.unwrap();
    let get = json!({ "id": tier });
    let tier = org.viewer().call("SubscriptionTierService/GetSubscriptionTier", get).await.unwrap();
    let told = info().await;
    assert_eq!((&told["tier"], &told["status"]), (&tier["slug"], &json!("active")));
    assert_eq!(told["period_end_time"], "2026-12-01T00:00:00+00:00");
    let end = json!({ "id": made["id"], "status": "SUBSCRIPTION_STATUS_ENDED" });
    let end = json!({ "subscription": end, "update_mask": ["status"] });
    org.owner().call("SubscriptionService/UpdateSubscription", end).await.unwrap();
    assert!(info().await.as_object().is_none_or(serde_json::Map::is_empty));
}

#[tokio::test]
async fn an_organization_has_one_subscription_that_has_not_ended() {
    let org = Stack::shared().await.organization().await;
    let (free, pro) = (tier(&org, "Free").await, tier(&org, "Pro").await);
    let subscribe = async |tier: &str| {
        let subscription = json!({
            "tier_id": tier, "period_start_time": "2026-11-01T00:00:00Z", "period_end_time": "2026-12-01T00:00:00Z",
        });
        let request = json!({ "subscription": subscription });
        org.owner().call("SubscriptionService/CreateSubscription", request).await
    };
    let first = subscribe(&free).await.unwrap();
    let result = subscribe(&pro).await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
    let end = json!({ "id": first["id"], "status": "SUBSCRIPTION_STATUS_ENDED" });
    let end = json!({ "subscription": end, "update_mask": ["status"] });
    org.owner().call("SubscriptionService/UpdateSubscription", end).await.unwrap();
    subscribe(&pro).await.unwrap();
    let delete = json!({ "id": free });
    let method = "SubscriptionTierService/DeleteSubscriptionTier";
    let result = org.everywhere().call(method, delete).await;
    assert_fails(result, Code::FailedPrecondition, Reason::ResourceInUse, None);
}

#[tokio::test]
async fn a_period_ends_after_it_starts() {
    let org = Stack::shared().await.organization().await;
    let tier = tier(&org, "Free").await;
    let backwards = json!({
        "tier_id": tier, "period_start_time": "2026-12-01T00:00:00Z", "period_end_time": "2026-11-01T00:00:00Z",
    });
    let request = json!({ "subscription": backwards });
    let result = org.owner().call("SubscriptionService/CreateSubscription", request).await;
    let field = "subscription.period_end_time";
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
}

#[tokio::test]
async fn what_is_without_limit_says_no_number() {
    let org = Stack::shared().await.organization().await;
    let id = tier(&org, "Enterprise").await;
    let get = json!({ "id": id });
    let tier: Value =
        org.viewer().call("SubscriptionTierService/GetSubscriptionTier", get).await.unwrap();
    for field in ["monthly_credits", "concurrent_runs_max", "price_usd_monthly"] {
        assert!(tier[field].is_null(), "{field}: {tier:#}");
    }
}

#[tokio::test]
async fn what_is_not_listed_is_kept_by_who_has_it_and_taken_by_nobody() {
    let org = Stack::shared().await.organization().await;
    let other = Stack::shared().await.organization().await;
    let (old, new) = (tier(&org, "Old").await, tier(&org, "New").await);
    let period = json!({ "start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z", "later": "2027-01-01T00:00:00Z" });
    let subscribe = async |org: &Org, tier: &str| {
        let subscription = json!({
            "tier_id": tier, "period_start_time": period["start"], "period_end_time": period["end"],
        });
        let request = json!({ "subscription": subscription });
        org.owner().call("SubscriptionService/CreateSubscription", request).await
    };
    let kept = subscribe(&org, &old).await.unwrap();
    let moving = subscribe(&other, &new).await.unwrap();
    let hide = json!({ "subscription_tier": { "id": old }, "update_mask": ["listed"] });
    org.everywhere().call("SubscriptionTierService/UpdateSubscriptionTier", hide).await.unwrap();

    let change = async |org: &Org, id: &Value, field: &str, value: &Value| {
        let request = json!({ "subscription": { "id": id, field: value }, "update_mask": [field] });
        org.owner().call("SubscriptionService/UpdateSubscription", request).await
    };
    change(&org, &kept["id"], "period_end_time", &period["later"]).await.unwrap();
    let third = Stack::shared().await.organization().await;
    for refused in
        [change(&other, &moving["id"], "tier_id", &json!(old)).await, subscribe(&third, &old).await]
    {
        assert_fails(refused, Code::FailedPrecondition, Reason::NotListed, None);
    }
}
