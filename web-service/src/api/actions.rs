//! What agents can do.

pub mod core_actions;
pub mod platforms;
