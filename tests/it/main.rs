//! The one test binary: every test talks to a boundary that is real.

mod contract;
mod direction;
mod harness;
mod ownership;
