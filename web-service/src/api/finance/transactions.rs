//! `TransactionService`.

use crate::{resource::service, store::finance::transactions::Transaction};

service! { Transaction of transactions, get, list, create, update, delete }
