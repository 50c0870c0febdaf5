//! What survives when things break: the real binaries, killed, frozen and cut off while they work. `./dev faults` does the same for
//! longer.

mod database;
mod doctored;
mod freeze;
mod kill;
mod means;
mod replicas;
mod sabotage;
mod short;
mod wires;
