//! What is special about the resources of web-service. What they have in common is in the laws.

mod actions;
mod agents;
pub(crate) mod identity;
