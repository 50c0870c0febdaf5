//! What is special about the resources of web-service. What they have in common is in the laws.

mod actions;
mod agents;
mod apps;
mod billing;
mod finance;
pub(crate) mod identity;
mod integrations;
mod marketplace;
mod research;
