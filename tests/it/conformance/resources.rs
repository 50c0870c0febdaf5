//! The resources of the contract, as the laws see them.

mod actions;
mod activities;
mod files;
mod identity;
mod work;

pub(crate) use actions::{CoreActions, Platforms};
pub(crate) use activities::Activities;
pub(crate) use files::{FileFolders, Files};
pub(crate) use identity::{ApiKeys, Members, Organizations, Users};
pub(crate) use work::{Agents, Executions};
