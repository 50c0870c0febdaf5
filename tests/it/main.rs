//! The one test binary: every test talks to a boundary that is real.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper is a test; clippy knows only the functions marked as such"
)]

mod conformance;
mod contract;
mod coverage;
mod deploy;
mod direction;
mod faults;
mod flows;
mod harness;
mod list_plans;
mod model;
mod ownership;
mod runtime;
mod service;
mod tenancy;
mod tour;
mod web;
