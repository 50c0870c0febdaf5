//! What the protos promise of themselves, read from their descriptors.

mod live;

use common_api::{errors::ErrorReason, options::Role};
use freehold_tests::client::{Api, least_role, path_of};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use std::collections::BTreeSet;

const APIS: [Api; 2] = [Api::Web, Api::Runtime];

/// Every field that a request of `api` can carry, with the messages in it.
fn request_fields(api: Api) -> Vec<FieldDescriptor> {
    let mut waiting: Vec<MessageDescriptor> = api.methods().map(|it| it.input()).collect();
    let mut seen = BTreeSet::new();
    let mut fields = Vec::new();
    while let Some(message) = waiting.pop() {
        if !message.full_name().starts_with("freehold.")
            || !seen.insert(message.full_name().to_owned())
        {
            continue;
        }
        for field in message.fields() {
            if let Kind::Message(inner) = field.kind() {
                waiting.push(inner);
            }
            fields.push(field);
        }
    }
    fields
}

/// Whether the field carries the option with this name.
fn has_option(field: &FieldDescriptor, option: &str) -> bool {
    let extension = field.parent_message().parent_pool().get_extension_by_name(option);
    extension.is_some_and(|it| field.options().has_extension(&it))
}

fn has_rule(field: &FieldDescriptor) -> bool {
    ["buf.validate.field", "google.api.field_behavior"].iter().any(|it| has_option(field, it))
}

#[test]
fn every_method_names_a_role() {
    for api in APIS {
        for method in api.methods() {
            assert_ne!(least_role(&method), Role::Unspecified, "{}", path_of(&method));
        }
    }
}

#[test]
fn every_id_in_a_request_has_a_rule() {
    for api in APIS {
        for field in request_fields(api) {
            let is_id = field.name() == "id" || field.name().ends_with("_id");
            assert!(!is_id || has_rule(&field), "{} has no rule", field.full_name());
        }
    }
}

/// An etag is compared, never stored: the limit of the message bounds it.
const UNLIMITED: [&str; 1] = ["etag"];

#[test]
fn every_text_in_a_request_is_limited() {
    for api in APIS {
        for field in request_fields(api) {
            let text = matches!(field.kind(), Kind::String) && !UNLIMITED.contains(&field.name());
            // Nothing enters by a map's entry but through the map, whose size has a rule.
            let entry = field.parent_message().is_map_entry();
            assert!(!text || entry || has_rule(&field), "{} has no limit", field.full_name());
        }
    }
}

#[test]
fn every_page_can_be_asked_for_in_the_same_way() {
    let lists = Api::Web.methods().filter(|it| it.name().starts_with("List"));
    for method in lists {
        let (input, output) = (method.input(), method.output());
        for name in ["page_size", "page_token"] {
            assert!(input.get_field_by_name(name).is_some(), "{} has {name}", input.full_name());
        }
        let next = output.get_field_by_name("next_page_token");
        assert!(next.is_some(), "{} has next_page_token", output.full_name());
    }
}

#[test]
fn every_update_takes_a_mask() {
    for api in APIS {
        for method in api.methods().filter(|it| it.name().starts_with("Update")) {
            let mask = method.input().get_field_by_name("update_mask");
            assert!(mask.is_some(), "{}", path_of(&method));
        }
    }
}

#[test]
fn every_reason_is_documented_with_the_codes_that_carry_it() {
    let pool = common_api::descriptors();
    let reasons = pool.get_enum_by_name("freehold.errors.v1.ErrorReason").unwrap();
    let file = reasons.parent_file();
    let locations = &file.file_descriptor_proto().source_code_info.as_ref().unwrap().location;
    for value in reasons.values().filter(|it| it.number() != 0) {
        let comment = locations.iter().find(|it| it.path == value.path()).unwrap();
        let comment = comment.leading_comments().trim();
        assert!(ErrorReason::try_from(value.number()).is_ok());
        assert!(comment.contains(':'), "{} says when it is sent: {comment:?}", value.name());
    }
}

#[test]
fn every_method_and_message_is_documented() {
    for api in APIS {
        for method in api.methods() {
            let file = method.parent_service().parent_file();
            let info = file.file_descriptor_proto().source_code_info.clone().unwrap();
            let comment = info.location.iter().find(|it| it.path == method.path()).unwrap();
            assert!(!comment.leading_comments().is_empty(), "{}", path_of(&method));
        }
    }
}
