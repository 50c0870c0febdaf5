//! The database boundary: that it is there, that it holds, and that every way around it is found.

mod command;
mod lookups;
mod matrix;
mod migrate;
mod plants;
mod probe;
mod purges;
mod retention;
mod scope;
mod seed;
mod truth;
mod upgrade;
