//! What takes more than one statement, between the contract and the tables.

pub mod agents;
pub mod executions;
