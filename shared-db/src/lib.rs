//! The database boundary of Freehold, and the boot that both services share.
//!
//! - [`scope`]: the only way to the database, one transaction for one organization;
//! - [`pool`]: the connections that it has;
//! - [`contract`]: who may do what with which table; [`grants`], [`policies`] and [`roles`] are generated from it, by [`migrate`];
//! - [`maintain`]: partitions and retention; [`purge`]: erasing an organization or a person from the tables of one owner;
//! - [`verify`], [`probe`], [`snapshot`]: that the database is what the contract says, from outside and from inside;
//! - [`service`]: what stands around every handler;
//! - [`read`]: the reads of `runtime.*`, which both services do;
//! - [`coalesce`]: commits that are shared;
//! - [`wake`]: hints from one process to another that there is something to look at;
//! - [`wire`]: times between the database and the wire;
//! - [`error`], [`ids`], [`page`], [`enums`], [`json`], [`clock`]: the words that both services speak.

extern crate self as shared_db;

pub mod clock;
pub mod coalesce;
pub mod contract;
pub mod enums;
pub mod error;
pub mod explain;
pub mod grants;
pub mod ids;
pub mod json;
pub mod maintain;
pub mod migrate;
pub mod page;
pub mod policies;
pub mod pool;
pub mod probe;
pub mod purge;
pub mod quote;
pub mod read;
pub mod roles;
pub mod scope;
pub mod seed;
pub mod service;
pub mod snapshot;
pub mod verify;
pub mod wake;
pub mod wire;
