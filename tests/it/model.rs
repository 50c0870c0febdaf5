//! The protocol of claim, heartbeat, rescue, completion and cancel as a model, explored through every state within small bounds; and
//! the rule by which claims are fair.
//!
//! Two processes work on one or two executions of one organization. Every transaction is one action; a claim is two, since its rows
//! are locked before it is committed. Time is not modelled: a lease may end whenever nothing forbids it. What is sent may be
//! committed late, after a repetition, after its process was killed, after its worker was given up, or never.
//!
//! [`protocol`] says what protects the engine, and what can be switched off to see it break. [`explored`] has the protocol as it is,
//! [`broken`] has it without each of its protections; run that with `--nocapture` to read how each breaks.

mod actions;
mod broken;
mod database;
mod explored;
pub(crate) mod fairness;
mod invariants;
mod protocol;
mod search;
mod state;
