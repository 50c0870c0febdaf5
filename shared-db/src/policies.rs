//! Row-level security, generated from the contract: one policy for each role and verb that the contract allows.

use crate::{
    contract::{Condition, Contract, PURGES, Principal, RowScope, Table, Verb},
    quote,
};

/// One policy as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub table: String,
    pub name: String,
    pub role: String,
    pub verb: Verb,
    pub condition: Condition,
}

impl Policy {
    /// Rows that are read, changed or removed have to fulfil it.
    pub fn has_using(&self) -> bool {
        self.verb != Verb::Insert
    }

    /// Rows that are written have to fulfil it.
    pub fn has_check(&self) -> bool {
        matches!(self.verb, Verb::Insert | Verb::Update)
    }

    pub fn create(&self) -> String {
        let condition = self.condition.sql();
        let using = if self.has_using() { format!(" using ({condition})") } else { String::new() };
        let check =
            if self.has_check() { format!(" with check ({condition})") } else { String::new() };
        let (name, table, verb, role) =
            (quote::ident(&self.name), &self.table, self.verb.sql(), quote::ident(&self.role));
        format!("create policy {name} on {table} for {verb} to {role}{using}{check}")
    }
}

/// The policies of one table.
pub fn of_table(contract: &Contract, table: &Table) -> Vec<Policy> {
    let policy = |role: &str, verb: Verb, condition| Policy {
        table: table.path(),
        name: format!("{role}_{}", verb.sql()),
        role: role.to_owned(),
        verb,
        condition,
    };
    let verbs = |principal| Verb::ROWS.into_iter().map(move |verb| (principal, verb));
    let services = Principal::ALL.into_iter().flat_map(verbs);
    services
        .filter_map(|(principal, verb)| {
            Some(policy(principal.role(), verb, table.condition(principal, verb)?))
        })
        .chain(of_owner(table).into_iter().map(|it| policy(&contract.owner, it, Condition::All)))
        .collect()
}

/// Row-level security holds for the owner too, and some functions act as it. Those of retention see what lives, and remove what is
/// old. Those of a purge see which is under way, and erase from what is append-only.
fn of_owner(table: &Table) -> Vec<Verb> {
    let purged = table.append_only;
    let names = !table.users.is_empty() || !table.organizations.is_empty();
    let removed = table.maintained || purged;
    let seen = removed || table.scope == RowScope::Queue || table.path() == PURGES;
    let verbs = [(Verb::Select, seen), (Verb::Update, purged && names), (Verb::Delete, removed)];
    verbs.into_iter().filter_map(|(verb, needed)| needed.then_some(verb)).collect()
}

/// Switches row-level security on, for the owner of the table as well.
pub fn enable(path: &str) -> String {
    format!("alter table {path} enable row level security, force row level security")
}

/// All policies, to be created where there are none.
pub fn statements(contract: &Contract) -> Vec<String> {
    let mut all = Vec::new();
    for table in &contract.tables {
        all.push(enable(&table.path()));
        all.extend(of_table(contract, table).iter().map(Policy::create));
    }
    all
}
