//! The laws, by what they are about.

pub(crate) mod creates;
pub(crate) mod deletes;
pub(crate) mod etags;
pub(crate) mod filters;
pub(crate) mod lists;
pub(crate) mod orders;
pub(crate) mod private;
pub(crate) mod reads;
pub(crate) mod request_ids;
pub(crate) mod roles;
pub(crate) mod tenants;
pub(crate) mod updates;

use super::resource::{Resource, World};
use freehold_tests::errors::assert_fails;
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::WorkerId};
use tonic::{Code, Status};

/// An id that nothing has.
fn unknown_id() -> String {
    WorkerId::generate().to_string()
}

#[track_caller]
fn assert_not_found<T: std::fmt::Debug>(result: Result<T, Status>) -> Status {
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None)
}

#[track_caller]
fn assert_names<T: std::fmt::Debug>(result: Result<T, Status>, field: &str) -> Status {
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field)
}

/// Asserts that a page token is not of this list.
#[track_caller]
fn assert_names_token<T: std::fmt::Debug>(result: Result<T, Status>) -> Status {
    assert_fails(result, Code::InvalidArgument, Reason::InvalidPageToken, "page_token")
}

/// Asserts that it still is what it was.
async fn assert_unchanged<R: Resource>(world: &World<R>, before: &Value) {
    assert_eq!(world.standing(World::<R>::id(before)).await, *before);
}

/// `resource` with its id, and nothing else of it.
fn only_id<R: Resource>(resource: &Value) -> Value {
    json!({ R::ID: World::<R>::id(resource) })
}
