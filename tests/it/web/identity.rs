mod activities;
mod api_keys;
mod members;
mod organizations;
mod tokens;
mod users;
