//! A bank account of one user. Nobody else sees it, whatever their role.

use crate::{
    resource::{Decimal, resource},
    store::enums::BankAccountKind,
};
use shared_db::ids::BankAccountId;

resource! {
    /// A bank account of one user. Nobody else sees it, whatever their role.
    BankAccount in web.bank_accounts, private {
        name: String,
        institution: String,
        kind: BankAccountKind,
        currency: String,
        last_digits: String,
        balance: Decimal,
    }
}
