mod activities;
mod api_keys;
mod members;
mod organizations;
pub(crate) mod purges;
mod tokens;
mod users;
