//! The statements: one module a resource.

pub mod actions;
pub mod apps;
pub mod billing;
pub mod deleted;
pub mod enums;
pub mod finance;
pub mod identity;
pub mod integrations;
pub mod marketplace;
pub mod research;
pub mod tree;
