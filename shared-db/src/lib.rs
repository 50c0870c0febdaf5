//! The database boundary of Freehold, and the boot that both services share.
//!
//! - [`scope`]: the only way to the database, one transaction for one organization;
//! - [`service`]: what stands around every handler;
//! - [`read`]: the reads of `runtime.*`, which both services do;
//! - [`wire`]: times between the database and the wire;
//! - [`error`], [`ids`], [`page`], [`enums`], [`json`], [`clock`]: the words that both services speak.

extern crate self as shared_db;

pub mod clock;
pub mod enums;
pub mod error;
pub mod ids;
pub mod json;
pub mod page;
pub mod read;
pub mod scope;
pub mod service;
pub mod wire;
