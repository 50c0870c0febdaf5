//! freehold.runtime.v1: accept, parse, one call, wrap.

pub mod agents;
pub mod dead_letters;
pub mod executions;
pub mod input_requests;
pub mod limits;
pub mod purges;
