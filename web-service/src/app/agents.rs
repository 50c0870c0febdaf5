//! Agents and executions: web checks who asks, keeps what was asked, commands runtime, and reads what came of it.

#[expect(clippy::module_inception, reason = "the domain bears the name of its first resource")]
pub mod agents;
pub mod commands;
pub mod dead_letters;
pub mod desk;
pub mod executions;
pub mod input_requests;
pub mod limits;
pub mod sender;
pub mod watch;
