//! What a user owns elsewhere.

pub mod bank_accounts;
pub mod brokerage_connections;
pub mod holdings;
pub mod portfolios;
pub mod positions;
pub mod transactions;
pub mod wallet_connections;
