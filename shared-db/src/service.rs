//! The boot that both binaries share, and what stands around every handler.

pub mod caller;
pub mod deadline;
