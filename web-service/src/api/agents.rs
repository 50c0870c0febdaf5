//! Agents and executions: the façades of what runtime-service keeps.

#[expect(clippy::module_inception, reason = "the domain bears the name of its first resource")]
pub mod agents;
pub mod dead_letters;
pub mod executions;
pub mod input_requests;
pub mod limits;
pub mod workflow_data;
