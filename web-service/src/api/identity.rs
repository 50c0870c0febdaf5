//! Who there is, and how they authenticate.

pub mod activities;
pub mod api_keys;
pub mod members;
pub mod organizations;
pub mod purges;
pub mod users;
