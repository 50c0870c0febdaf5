//! Agents and executions: the façades of what runtime-service keeps.

pub mod agents;
pub mod executions;
