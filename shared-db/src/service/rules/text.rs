//! The one character that no text may hold: PostgreSQL keeps no U+0000, neither in `text` nor in `jsonb`.

use super::check::Walk;
use prost_reflect::{DynamicMessage, MapKey, ReflectMessage, Value};

/// Reports the fields of `message` that hold a U+0000. What is inside a `Struct` is reported as the `Struct`.
pub(super) fn check(message: &DynamicMessage, walk: &mut Walk) {
    for (field, value) in message.fields() {
        walk.at(field.name(), |walk| one(value, walk));
    }
}

fn one(value: &Value, walk: &mut Walk) {
    let ours = |it: &&DynamicMessage| it.descriptor().package_name() != "google.protobuf";
    if let Some(it) = value.as_message().filter(ours) {
        check(it, walk);
    } else if let Some(them) = value.as_list() {
        for (i, it) in them.iter().enumerate() {
            walk.at(&format!("[{i}]"), |walk| one(it, walk));
        }
    } else if holds_nul(value) {
        walk.report("must not hold the character U+0000");
    }
}

fn holds_nul(value: &Value) -> bool {
    let key_holds_nul = |key: &MapKey| key.as_str().is_some_and(|it| it.contains('\0'));
    if let Some(it) = value.as_str() {
        it.contains('\0')
    } else if let Some(it) = value.as_message() {
        it.fields().any(|(_, it)| holds_nul(it))
    } else if let Some(them) = value.as_list() {
        them.iter().any(holds_nul)
    } else {
        let mut entries = value.as_map().into_iter().flatten();
        entries.any(|(key, it)| key_holds_nul(key) || holds_nul(it))
    }
}
