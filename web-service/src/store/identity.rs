//! Who there is, and what they have asked.

pub mod activities;
pub mod api_keys;
pub mod members;
pub mod organizations;
pub mod purges;
pub mod request_ids;
pub mod users;
