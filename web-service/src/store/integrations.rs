//! What can be connected, and what is.

pub mod catalog_integrations;
pub mod installations;
pub mod integrations;
