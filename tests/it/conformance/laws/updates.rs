//! Updating: the mask decides what changes, and the contract what a mask may name.

use super::{assert_names, assert_not_found, assert_unchanged, only_id, unknown_id};
use crate::conformance::{
    resource::{Resource, World},
    words::{behaviours, contains, merged, snake},
};
use freehold_tests::errors::assert_fails;
use serde_json::Value;
use shared_db::error::Reason;
use std::collections::BTreeSet;
use tonic::Code;

/// Fields that a caller does not set in an update.
fn is_closed(field: &prost_reflect::FieldDescriptor) -> bool {
    let closed = ["OUTPUT_ONLY", "IMMUTABLE", "IDENTIFIER"];
    behaviours(field).iter().any(|it| closed.contains(&it.as_str()))
}

fn names(changes: &Value) -> Vec<&str> {
    changes.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Whether the changes set another field of the same choice: there can be one of them only.
fn is_set_aside(field: &prost_reflect::FieldDescriptor, covered: &BTreeSet<String>) -> bool {
    let choice = field.containing_oneof().filter(|it| !it.is_synthetic());
    let chosen = choice.and_then(|it| it.fields().find(|it| covered.contains(it.name())));
    chosen.is_some_and(|it| it.name() != field.name())
}

/// Keeps the description of the resource honest: a field that is added to the contract is added to the laws.
pub(crate) async fn the_changes_cover_every_field_that_may_change<R: Resource>() {
    let world = World::<R>::new().await;
    let changes = R::changes(&world.given);
    let covered: BTreeSet<_> = names(&changes).into_iter().map(str::to_owned).collect();
    let message = World::<R>::message();
    let open = message.fields().filter(|it| !is_closed(it) && it.name() != "etag");
    let open = open.filter(|it| !R::NEVER_CHANGED.contains(&it.name()));
    let open = open.filter(|it| !is_set_aside(it, &covered));
    assert_eq!(covered, open.map(|it| it.name().to_owned()).collect());
}

pub(crate) async fn only_fields_that_the_mask_names_change<R: Resource>() {
    let world = World::<R>::new().await;
    let changes = R::changes(&world.given);
    let changed_by_itself = ["update_time", "etag", "version", "revision"];
    let mut before = world.create().await;
    for field in names(&changes) {
        let all = merged(only_id::<R>(&before), changes.clone());
        let after = world.update(all, Some(&[field])).await.unwrap_or_else(|error| {
            panic!("{field} can be changed: {error:?}");
        });
        assert!(contains(&after[field], &changes[field]), "{field} is now {}", after[field]);
        for other in names(&before) {
            let own = other == field || changed_by_itself.contains(&other);
            assert!(own || after[other] == before[other], "{other} changed with {field}");
        }
        assert_unchanged(&world, &after).await;
        before = after;
    }
}

pub(crate) async fn without_a_mask_all_fields_change<R: Resource>() {
    for mask in [None, Some(&[][..])] {
        // Each in an organization of its own: some of what changes may be unique there.
        let world = World::<R>::new().await;
        let changes = R::changes(&world.given);
        let before = world.create().await;
        let all = merged(only_id::<R>(&before), changes.clone());
        let after = world.update(all, mask).await.unwrap();
        assert!(contains(&after, &changes), "{after:#} has all of {changes:#}");
        assert_unchanged(&world, &after).await;
    }
}

pub(crate) async fn a_mask_may_not_name_what_callers_do_not_set<R: Resource>() {
    let world = World::<R>::new().await;
    let before = world.create().await;
    let closed: Vec<_> = World::<R>::message().fields().filter(is_closed).collect();
    let closed = closed.iter().map(prost_reflect::FieldDescriptor::name);
    for path in closed.chain(["etag", "nonsense", "", "name.nonsense", "Name"]) {
        let all = merged(only_id::<R>(&before), R::changes(&world.given));
        let result = world.update(all, Some(&[path])).await;
        let reason = Reason::InvalidUpdateMask;
        assert_fails(result, Code::InvalidArgument, reason, "update_mask");
    }
    assert_unchanged(&world, &before).await;
}

pub(crate) async fn a_required_field_can_not_be_emptied<R: Resource>() {
    let world = World::<R>::new().await;
    let before = world.create().await;
    for field in World::<R>::message().fields() {
        let required = behaviours(&field).iter().any(|it| it == "REQUIRED");
        if required && !is_closed(&field) {
            let result = world.update(only_id::<R>(&before), Some(&[field.name()])).await;
            assert_names(result, &format!("{}.{}", snake(R::KIND), field.name()));
        }
    }
    assert_unchanged(&world, &before).await;
}

pub(crate) async fn an_update_of_an_unknown_one_is_not_found<R: Resource>() {
    let world = World::<R>::new().await;
    let with_id = |id: &str| merged(R::changes(&world.given), serde_json::json!({ R::ID: id }));
    assert_not_found(world.update(with_id(&unknown_id()), None).await);
    let path = format!("{}.{}", snake(R::KIND), R::ID);
    for id in ["", "nonsense"] {
        assert_names(world.update(with_id(id), None).await, &path);
    }
}
