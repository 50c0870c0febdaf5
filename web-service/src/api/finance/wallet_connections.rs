//! `WalletConnectionService`.

use crate::{resource::service, store::finance::wallet_connections::WalletConnection};

service! { WalletConnection of wallet_connections, get, list, create, update, delete }
