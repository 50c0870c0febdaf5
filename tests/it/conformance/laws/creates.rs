//! Creating: what is required, what is limited, and that text is text.

use super::assert_names;
use crate::conformance::{
    resource::{Resource, World},
    words::{behaviours, length_max},
};
use freehold_tests::errors::assert_fails;
use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// Fields of the resource that its draft sets.
fn drafted<R: Resource>(draft: &Value) -> impl Iterator<Item = FieldDescriptor> {
    let fields = World::<R>::draft_message().fields().collect::<Vec<_>>().into_iter();
    fields.filter(move |it| draft.get(it.name()).is_some())
}

/// Fields that hold whatever text a person writes.
fn texts<R: Resource>(draft: &Value) -> Vec<String> {
    let named = |it: &FieldDescriptor| {
        let of_people =
            ["name", "title", "subject", "body", "description", "context", "initial_prompt"];
        of_people.contains(&it.name()) && it.kind() == Kind::String
    };
    drafted::<R>(draft).filter(named).map(|it| it.name().to_owned()).collect()
}

pub(crate) async fn a_required_field_is_named_when_it_is_missing<R: Resource>() {
    let world = World::<R>::new().await;
    let draft = world.draft();
    for field in World::<R>::draft_message().fields() {
        let marked = behaviours(&field).iter().any(|it| it == "REQUIRED");
        if !marked && !R::REQUIRED.contains(&field.name()) {
            continue;
        }
        let mut without = draft.clone();
        let removed = without.as_object_mut().unwrap().remove(field.name());
        assert!(removed.is_some(), "the draft sets {}, which is required", field.name());
        assert_names(world.try_create(without).await, &World::<R>::draft_path(field.name()));
    }
    world.try_create(draft).await.expect("the draft itself is valid");
}

pub(crate) async fn a_text_that_is_too_long_is_named<R: Resource>() {
    let world = World::<R>::new().await;
    let draft = world.draft();
    let mut tried = 0;
    for field in drafted::<R>(&draft) {
        let Some(max) = length_max(&field) else { continue };
        let mut long = draft.clone();
        long[field.name()] = json!("a".repeat(usize::try_from(max).unwrap() + 1));
        assert_names(world.try_create(long).await, &World::<R>::draft_path(field.name()));
        tried += 1;
    }
    assert!(0 < tried || texts::<R>(&draft).is_empty(), "no text of {} has a limit", R::KIND);
}

pub(crate) async fn a_text_is_stored_as_it_is<R: Resource>() {
    let world = World::<R>::new().await;
    for text in [
        "Robert'); drop table web.users; --",
        "$1 %s {{ 7 * 7 }} ${jndi:ldap://x} \\' \" `",
        "Grüße 你好 \u{202e}🦀\t\r\n",
    ] {
        let mut draft = world.draft();
        for field in texts::<R>(&draft) {
            draft[field] = json!(text);
        }
        let created = world.try_create(draft.clone()).await.unwrap();
        let read = world.get(World::<R>::id(&created)).await.unwrap();
        for field in texts::<R>(&draft) {
            assert_eq!(read[&field], text, "{field}");
        }
    }
}

/// PostgreSQL has no place for it in a text: it is the caller's mistake and not an internal error.
pub(crate) async fn a_null_character_is_refused_by_name<R: Resource>() {
    let world = World::<R>::new().await;
    for field in texts::<R>(&world.draft()) {
        let mut draft = world.draft();
        draft[&field] = json!("a\0b");
        assert_names(world.try_create(draft).await, &World::<R>::draft_path(&field));
    }
}

pub(crate) async fn what_only_the_service_sets_is_ignored<R: Resource>() {
    let world = World::<R>::new().await;
    let mut draft = world.draft();
    let mut set = Vec::new();
    for field in World::<R>::draft_message().fields() {
        if !behaviours(&field).iter().any(|it| it == "OUTPUT_ONLY") {
            continue;
        }
        let kind = field.kind();
        let time = kind.as_message().is_some_and(|it| it.full_name().ends_with(".Timestamp"));
        let value = if time {
            json!("2001-01-01T00:00:00Z")
        } else if kind == Kind::String {
            json!("00000000-0000-7000-8000-000000000000")
        } else if kind == Kind::Int32 {
            json!(99)
        } else {
            continue;
        };
        draft[field.name()] = value.clone();
        set.push((field.name().to_owned(), value));
    }
    let created = world.try_create(draft).await.expect("what is ignored does not matter");
    for (field, value) in set {
        assert_ne!(created[&field], value, "{field} is the service's");
    }
}

pub(crate) async fn a_duplicate_already_exists<R: Resource>() {
    let world = World::<R>::new().await;
    let draft = world.draft();
    world.try_create(draft.clone()).await.unwrap();
    let result = world.try_create(draft).await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
}
