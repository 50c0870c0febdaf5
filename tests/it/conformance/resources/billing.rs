//! What is sold, and what an organization has bought.

use super::needed::{made, tier};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

pub(crate) struct SubscriptionTiers;

impl Resource for SubscriptionTiers {
    const KIND: &'static str = "SubscriptionTier";
    const PLURAL: &'static str = "SubscriptionTiers";
    const TENANT: bool = false;

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Some text",
            "monthly_credits": "1000",
            "concurrent_runs_max": 3,
            "price_usd_monthly": "19",
            "features": { "a": 1 },
            "position": 2,
            "listed": true,
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "monthly_credits": "5000",
            "concurrent_runs_max": 10,
            "price_usd_monthly": "49",
            "features": { "b": [true] },
            "position": 3,
            "listed": false,
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "listed": true }), json!({}), json!({ "listed": false })),
            sieve(json!({ "listed": false }), json!({ "listed": false }), json!({})),
        ]
    }
}

pub(crate) struct Subscriptions;

impl Resource for Subscriptions {
    const KIND: &'static str = "Subscription";
    const PLURAL: &'static str = "Subscriptions";

    fn writer(org: &Org) -> Caller {
        org.owner()
    }

    fn reader(org: &Org) -> Caller {
        org.admin()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "tier": tier(org, "one").await,
            "other_tier": tier(org, "two").await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "tier_id": given["tier"],
            "status": "SUBSCRIPTION_STATUS_ENDED",
            "period_start_time": "2026-11-01T00:00:00Z",
            "period_end_time": "2026-12-01T00:00:00Z",
            "cancel_at_period_end": true,
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "tier_id": given["other_tier"],
            "status": "SUBSCRIPTION_STATUS_PAST_DUE",
            "period_start_time": "2026-11-02T00:00:00Z",
            "period_end_time": "2026-12-02T00:00:00Z",
            "cancel_at_period_end": false,
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "status": "SUBSCRIPTION_STATUS_ENDED" }),
            json!({}),
            json!({ "status": "SUBSCRIPTION_STATUS_ACTIVE" }),
        )]
    }
}

pub(crate) struct CreditPrices;

impl Resource for CreditPrices {
    const KIND: &'static str = "CreditPrice";
    const PLURAL: &'static str = "CreditPrices";
    const TENANT: bool = false;

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "operation": name,
            "unit": "Some text",
            "credits": "12.5",
            "effective_time": "2026-11-01T10:00:00Z",
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "operation": "law.needle" }),
                json!({ "operation": "law.needle" }),
                json!({}),
            ),
            sieve(
                json!({ "operation": "law.current", "current": true }),
                json!({ "operation": "law.current" }),
                json!({ "operation": "law.current" }),
            ),
        ]
    }
}

pub(crate) struct Licenses;

impl Resource for Licenses {
    const KIND: &'static str = "License";
    const PLURAL: &'static str = "Licenses";

    fn writer(org: &Org) -> Caller {
        org.platform()
    }

    fn mighty(org: &Org) -> Caller {
        org.platform()
    }

    fn reader(org: &Org) -> Caller {
        org.admin()
    }

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "name": "Some text",
            "reference": "Some text",
            "seats_max": 2,
            "valid_from_time": "2026-11-01T10:00:00Z",
            "valid_until_time": "2026-12-01T10:00:00Z",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "reference": "Other text",
            "seats_max": 3,
            "valid_from_time": "2026-11-02T10:00:00Z",
            "valid_until_time": "2026-12-02T10:00:00Z",
        })
    }
}

pub(crate) struct LicenseSections;

impl Resource for LicenseSections {
    const KIND: &'static str = "LicenseSection";
    const PLURAL: &'static str = "LicenseSections";

    fn writer(org: &Org) -> Caller {
        org.platform()
    }

    fn mighty(org: &Org) -> Caller {
        org.platform()
    }

    fn reader(org: &Org) -> Caller {
        org.admin()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "other_license": made(&org.platform(), "LicenseService/CreateLicense", json!({ "license": { "name": "M", "valid_from_time": "2026-01-01T00:00:00Z" } })).await,
            "license": made(&org.platform(), "LicenseService/CreateLicense", json!({ "license": { "name": "L", "valid_from_time": "2026-01-01T00:00:00Z" } })).await,
        })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "license_id": given["license"],
            "section": name,
            "enabled": true,
            "limits": { "a": 1 },
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "enabled": false,
            "limits": { "b": [true] },
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "license_id": given["license"] }),
            json!({}),
            json!({ "license_id": given["other_license"] }),
        )]
    }
}
