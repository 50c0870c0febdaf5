//! What survives when things break: the real binaries, killed and frozen while they work.

mod freeze;
mod kill;
mod ledger;
