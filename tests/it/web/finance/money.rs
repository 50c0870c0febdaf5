//! What a user owns elsewhere: exact amounts, rows that hang together, and addresses.

use crate::conformance::resources::needed::{made, portfolio};
use freehold_tests::{client::Caller, errors::assert_fails, stack::Stack};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

async fn account(caller: &Caller) -> String {
    let account = json!({ "bank_account": { "name": "A", "currency": "EUR" } });
    made(caller, "BankAccountService/CreateBankAccount", account).await
}

async fn book(caller: &Caller, account: &str, amount: &str) -> Result<Value, Status> {
    let transaction = json!({
        "bank_account_id": account, "amount": amount, "currency": "EUR", "posted_time": "2026-11-01T10:00:00Z",
    });
    let request = json!({ "transaction": transaction });
    caller.call("TransactionService/CreateTransaction", request).await
}

#[tokio::test]
async fn amounts_come_back_exactly() {
    let org = Stack::shared().await.organization().await;
    let account = account(&org.viewer()).await;
    for (given, kept) in [
        ("0.1", "0.1"),
        ("-99999999999999.99999999", "-99999999999999.99999999"),
        ("007.5000", "7.5"),
        ("9007199254740993", ""),
        ("3", "3"),
        ("0", "0"),
    ] {
        let result = book(&org.viewer(), &account, given).await;
        if kept.is_empty() {
            let field = "transaction.amount";
            assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
        } else {
            assert_eq!(result.unwrap()["amount"], kept);
        }
    }
    for nonsense in ["1e3", "NaN", "1,5", "0.123456789", "--1"] {
        let result = book(&org.viewer(), &account, nonsense).await;
        let field = "transaction.amount";
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
}

/// The owner's own account is as unknown to the viewer as the other way around, also as something to refer to.
#[tokio::test]
async fn nothing_hangs_on_what_is_another_users() {
    let org = Stack::shared().await.organization().await;
    let theirs = account(&org.owner()).await;
    let result = book(&org.viewer(), &theirs, "1").await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    let portfolio = portfolio(&org.owner()).await;
    let holding =
        json!({ "portfolio_id": portfolio, "symbol": "ACME", "quantity": "1", "currency": "EUR" });
    let request = json!({ "holding": holding });
    let result = org.viewer().call("HoldingService/CreateHolding", request).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn an_account_takes_its_transactions_with_it() {
    let org = Stack::shared().await.organization().await;
    let viewer = org.viewer();
    let (gone, kept) = (account(&viewer).await, account(&viewer).await);
    for account in [&gone, &kept] {
        book(&viewer, account, "1").await.unwrap();
    }
    viewer.call("BankAccountService/DeleteBankAccount", json!({ "id": gone })).await.unwrap();
    let list = viewer.call("TransactionService/ListTransactions", json!({})).await.unwrap();
    let left: Vec<_> =
        list["transactions"].as_array().unwrap().iter().map(|it| &it["bank_account_id"]).collect();
    assert_eq!(left, [&json!(kept)]);
}

#[tokio::test]
async fn a_position_is_closed_at_a_price_after_it_was_opened() {
    let org = Stack::shared().await.organization().await;
    let viewer = org.viewer();
    let portfolio = portfolio(&viewer).await;
    let position = json!({
        "portfolio_id": portfolio, "symbol": "ACME", "quantity": "1", "entry_price": "10", "currency": "EUR",
        "opened_time": "2026-11-02T10:00:00Z",
    });
    let open = json!({ "position": position });
    let id = made(&viewer, "PositionService/CreatePosition", open).await;
    let close = async |fields: Value| {
        let mask: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        let mut position = fields;
        position["id"] = json!(id);
        let request = json!({ "position": position, "update_mask": mask });
        viewer.call("PositionService/UpdatePosition", request).await
    };
    let early = close(json!({ "closed_time": "2026-11-01T10:00:00Z", "exit_price": "11" })).await;
    assert_fails(early, Code::InvalidArgument, Reason::InvalidField, "position.closed_time");
    let unpriced = close(json!({ "closed_time": "2026-11-03T10:00:00Z" })).await;
    assert_fails(unpriced, Code::InvalidArgument, Reason::InvalidField, "position.exit_price");
    let list = json!({ "open": true });
    let open = viewer.call("PositionService/ListPositions", list.clone()).await.unwrap();
    assert_eq!(open["positions"][0]["id"], json!(id));
    close(json!({ "closed_time": "2026-11-03T10:00:00Z", "exit_price": "11" })).await.unwrap();
    let open = viewer.call("PositionService/ListPositions", list).await.unwrap();
    assert!(open["positions"].as_array().is_none_or(Vec::is_empty), "{open:#}");
}

#[tokio::test]
async fn a_wallet_is_connected_once_however_its_address_is_written() {
    let org = Stack::shared().await.organization().await;
    let connect = async |chain: &str, address: &str| {
        let wallet = json!({ "chain": format!("WALLET_CHAIN_{chain}"), "address": address });
        let request = json!({ "wallet_connection": wallet });
        org.viewer().call("WalletConnectionService/CreateWalletConnection", request).await
    };
    let evm = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let capitals = format!("0x{}", evm[2..].to_uppercase());
    let segwit = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    for (chain, kept, spellings) in [
        ("ETHEREUM", evm, [evm.to_lowercase(), capitals, evm.to_owned()]),
        ("BITCOIN", segwit, [segwit.to_uppercase(), segwit.to_owned(), segwit.to_uppercase()]),
    ] {
        let first = connect(chain, &spellings[0]).await.unwrap();
        assert_eq!(first["address"], kept);
        for again in &spellings[1..] {
            let result = connect(chain, again).await;
            assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
        }
    }
}

#[tokio::test]
async fn a_mistyped_address_is_refused() {
    let org = Stack::shared().await.organization().await;
    let connect = async |chain: &str, address: &str| {
        let wallet = json!({ "chain": format!("WALLET_CHAIN_{chain}"), "address": address });
        let request = json!({ "wallet_connection": wallet });
        org.viewer().call("WalletConnectionService/CreateWalletConnection", request).await
    };
    connect("ETHEREUM", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").await.unwrap();
    for (chain, address) in [
        ("ETHEREUM", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed"),
        ("BITCOIN", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
        ("SOLANA", "not an address"),
    ] {
        let result = connect(chain, address).await;
        let field = "wallet_connection.address";
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
}
