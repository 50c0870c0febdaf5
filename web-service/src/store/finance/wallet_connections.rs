//! A wallet of a user on a chain. Only its address is kept; it is checked as its chain does.

mod address;

use crate::{
    resource::{Mine, Rules, resource},
    store::enums::WalletChain,
};
use shared_db::{
    error::{Error, Result},
    ids::WalletConnectionId,
};
use sqlx::PgConnection;

resource! {
    /// A wallet of a user on a chain. Only its address is kept; it is checked as its chain does.
    WalletConnection in web.web3_wallet_connections, private, rules, plural(wallet_connections) {
        #[fixed] chain: WalletChain,
        #[fixed] address: String,
        label: String,
    }
    filters {
        chain: WalletChain = "chain = ?",
    }
}

impl Rules for WalletConnection {
    async fn creating(_: &mut PgConnection, _: Mine, new: &mut NewWalletConnection) -> Result<()> {
        new.address = address::canonical(new.chain, &new.address)
            .map_err(|problem| Error::invalid("wallet_connection.address", problem))?;
        Ok(())
    }
}
