//! Row-level security, generated from the contract: one policy for each role and verb that the contract allows.

use crate::contract::{Condition, Contract, Principal, Table, Verb};

/// One policy as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub table: String,
    pub name: String,
    pub role: &'static str,
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
        let (name, table, verb, role) = (&self.name, &self.table, self.verb.sql(), self.role);
        format!("create policy {name} on {table} for {verb} to {role}{using}{check}")
    }
}

/// The policies of one table.
pub fn of_table(table: &Table) -> Vec<Policy> {
    let verbs = |principal| Verb::ROWS.into_iter().map(move |verb| (principal, verb));
    Principal::ALL
        .into_iter()
        .flat_map(verbs)
        .filter_map(|(principal, verb)| {
            Some(Policy {
                table: table.path(),
                name: format!("{}_{}", principal.role(), verb.sql()),
                role: principal.role(),
                verb,
                condition: table.condition(principal, verb)?,
            })
        })
        .collect()
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
        all.extend(of_table(table).iter().map(Policy::create));
    }
    all
}
