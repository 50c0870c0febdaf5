//! What a user owns elsewhere: nobody else sees it.

use super::needed::{made, portfolio};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::ids::WorkerId;

pub(crate) struct BankAccounts;

impl Resource for BankAccounts {
    const KIND: &'static str = "BankAccount";
    const PLURAL: &'static str = "BankAccounts";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "name": "Some text",
            "institution": "Some text",
            "kind": "BANK_ACCOUNT_KIND_CHECKING",
            "currency": "EUR",
            "last_digits": "1234",
            "balance": "-10.25",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "institution": "Other text",
            "kind": "BANK_ACCOUNT_KIND_SAVINGS",
            "currency": "USD",
            "last_digits": "99",
            "balance": "100",
        })
    }
}

pub(crate) struct Transactions;

impl Resource for Transactions {
    const KIND: &'static str = "Transaction";
    const PLURAL: &'static str = "Transactions";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "other_account": made(&org.viewer(), "BankAccountService/CreateBankAccount", json!({ "bank_account": { "name": "B", "currency": "EUR" } })).await,
            "account": made(&org.viewer(), "BankAccountService/CreateBankAccount", json!({ "bank_account": { "name": "A", "currency": "EUR" } })).await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "bank_account_id": given["account"],
            "amount": "-3.5",
            "currency": "EUR",
            "description": "Some text",
            "category": "Some text",
            "pending": true,
            "posted_time": "2026-11-01T10:00:00Z",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "amount": "7",
            "currency": "USD",
            "description": "Other text",
            "category": "Other text",
            "pending": false,
            "posted_time": "2026-12-01T10:00:00Z",
        })
    }

    fn list_scope(_: &Value) -> Value {
        json!({ "order_by": "create_time desc" })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "bank_account_id": given["account"] }),
                json!({}),
                json!({ "bank_account_id": given["other_account"] }),
            ),
            sieve(json!({ "category": "Food" }), json!({ "category": "Food" }), json!({})),
            sieve(
                json!({ "posted_after": "2026-11-01T10:00:00Z" }),
                json!({}),
                json!({ "posted_time": "2026-11-01T09:59:59Z" }),
            ),
            sieve(
                json!({ "posted_before": "2026-11-01T10:00:00Z" }),
                json!({ "posted_time": "2026-11-01T09:59:59Z" }),
                json!({}),
            ),
            sieve(json!({ "query": "needle" }), json!({ "description": "A needle" }), json!({})),
        ]
    }
}

pub(crate) struct BrokerageConnections;

impl Resource for BrokerageConnections {
    const KIND: &'static str = "BrokerageConnection";
    const PLURAL: &'static str = "BrokerageConnections";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "institution": "Some text",
            "name": "Some text",
            "status": "BROKERAGE_STATUS_ACTIVE",
            "synced_time": "2026-11-01T10:00:00Z",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "institution": "Other text",
            "name": "Other text",
            "status": "BROKERAGE_STATUS_FAILING",
            "synced_time": "2026-12-01T10:00:00Z",
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "status": "BROKERAGE_STATUS_FAILING" }),
            json!({ "status": "BROKERAGE_STATUS_FAILING" }),
            json!({}),
        )]
    }
}

pub(crate) struct Portfolios;

impl Resource for Portfolios {
    const KIND: &'static str = "Portfolio";
    const PLURAL: &'static str = "Portfolios";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({
            "connection": made(&org.viewer(), "BrokerageConnectionService/CreateBrokerageConnection", json!({ "brokerage_connection": { "name": "B", "institution": "I" } })).await,
        })
    }

    fn draft(given: &Value, _: &str) -> Value {
        json!({
            "name": "Some text",
            "currency": "EUR",
            "brokerage_connection_id": given["connection"],
        })
    }

    fn changes(given: &Value) -> Value {
        json!({
            "name": "Other text",
            "currency": "USD",
            "brokerage_connection_id": given["connection"],
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "brokerage_connection_id": given["connection"] }),
            json!({}),
            json!({ "brokerage_connection_id": null }),
        )]
    }
}

pub(crate) struct Holdings;

impl Resource for Holdings {
    const KIND: &'static str = "Holding";
    const PLURAL: &'static str = "Holdings";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "portfolio": portfolio(&org.viewer()).await, "other_portfolio": portfolio(&org.viewer()).await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "portfolio_id": given["portfolio"],
            "symbol": symbol(name),
            "quantity": "12.5",
            "average_cost": "12.5",
            "currency": "EUR",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "quantity": "0.000001",
            "average_cost": "0.000001",
            "currency": "USD",
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "portfolio_id": given["portfolio"] }),
            json!({}),
            json!({ "portfolio_id": given["other_portfolio"] }),
        )]
    }
}

pub(crate) struct Positions;

impl Resource for Positions {
    const KIND: &'static str = "Position";
    const PLURAL: &'static str = "Positions";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "portfolio": portfolio(&org.viewer()).await, "other_portfolio": portfolio(&org.viewer()).await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "portfolio_id": given["portfolio"],
            "symbol": symbol(name),
            "side": "POSITION_SIDE_LONG",
            "quantity": "10",
            "entry_price": "12.5",
            "exit_price": "20",
            "currency": "EUR",
            "opened_time": "2026-11-01T10:00:00Z",
            "closed_time": "2026-11-05T10:00:00Z",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "quantity": "11",
            "entry_price": "0.000001",
            "exit_price": "21",
            "currency": "USD",
            "opened_time": "2026-11-02T10:00:00Z",
            "closed_time": "2026-11-06T10:00:00Z",
        })
    }

    fn list_scope(_: &Value) -> Value {
        json!({ "order_by": "create_time desc" })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "portfolio_id": given["portfolio"] }),
                json!({}),
                json!({ "portfolio_id": given["other_portfolio"] }),
            ),
            sieve(
                json!({ "open": true }),
                json!({ "closed_time": null, "exit_price": null }),
                json!({}),
            ),
        ]
    }
}

pub(crate) struct WalletConnections;

impl Resource for WalletConnections {
    const KIND: &'static str = "WalletConnection";
    const PLURAL: &'static str = "WalletConnections";

    fn writer(org: &Org) -> Caller {
        org.viewer()
    }

    fn draft(_: &Value, _: &str) -> Value {
        json!({
            "chain": "WALLET_CHAIN_POLYGON",
            "address": address(),
            "label": "Some text",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "label": "Other text",
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "chain": "WALLET_CHAIN_BASE" }),
            json!({ "chain": "WALLET_CHAIN_BASE" }),
            json!({}),
        )]
    }
}

/// One that nobody else has, and without letters: it is kept as it is written.
fn address() -> String {
    format!("0x{:040}", WorkerId::generate().0.as_u128())
}

/// One that no other draft has.
fn symbol(name: &str) -> String {
    let name = name.to_uppercase();
    name[name.len().saturating_sub(30)..].trim_start_matches('-').to_owned()
}
