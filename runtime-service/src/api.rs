//! freehold.runtime.v1: accept, parse, one call, wrap.

pub mod agents;
pub mod executions;
