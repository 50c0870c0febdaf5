//! The statements: one module a resource.

pub mod actions;
pub mod apps;
pub mod identity;
