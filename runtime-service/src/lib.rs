//! Writes what agents do, and does the work.

pub mod engine;
pub mod executor;
pub mod store;
