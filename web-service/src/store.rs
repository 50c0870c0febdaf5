//! The statements: one module a resource.

pub mod identity;
