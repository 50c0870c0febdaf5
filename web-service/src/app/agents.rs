//! Agents and executions: web checks who asks, keeps what was asked, commands runtime, and reads what came of it.

pub mod agents;
pub mod commands;
pub mod executions;
pub mod sender;
pub mod watch;
