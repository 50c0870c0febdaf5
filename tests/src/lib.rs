//! The harness of the one test binary: databases, services, organizations and remotes that are real, each made for one test.
//!
//! - [`client`]: whoever calls, typed or by name;
//! - [`database`]: a database of its own for each test, from a template that is migrated once;
//! - [`reach`]: how the demo and the bench reach services that run already;
//! - [`remote`]: an HTTP server that stands for a SaaS and keeps the log that tests believe instead of ours;
//! - [`errors`]: what a status says to a program.

pub mod client;
pub mod database;
pub mod errors;
pub mod reach;
pub mod remote;
