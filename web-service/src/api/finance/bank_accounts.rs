//! `BankAccountService`.

use crate::{resource::service, store::finance::bank_accounts::BankAccount};

service! { BankAccount of bank_accounts, get, list, create, update, delete }
