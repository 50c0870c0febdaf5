//! Requests that carry a resource: which of its fields a create needs, and which an update's mask may name.

use super::check::{Walk, is_zero};
use crate::error::{Error, Reason, Result};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

/// Read from the resource by updates, and never in a mask.
const ETAG: &str = "etag";
const UPDATE_MASK: &str = "update_mask";

/// `google.api.FieldBehavior`
const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;
const IMMUTABLE: i32 = 5;
const IDENTIFIER: i32 = 8;

#[derive(Clone, Copy)]
pub(super) enum Verb {
    Create,
    /// With the number of the mask's field.
    Update {
        mask: u32,
    },
}

/// `Create<Resource>Request`, or `Upload…` where it comes with its bytes, or `Update<Resource>Request`.
pub(super) struct Request {
    pub(super) verb: Verb,
    /// The field that holds the resource.
    pub(super) field: u32,
    name: String,
    members: Vec<Member>,
}

/// A field of a resource.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) number: u32,
    pub(crate) name: String,
    behaviors: Vec<i32>,
}

impl Member {
    fn is(&self, behavior: i32) -> bool {
        self.behaviors.contains(&behavior)
    }

    fn changeable(&self) -> bool {
        let fixed = self.is(OUTPUT_ONLY) || self.is(IMMUTABLE) || self.is(IDENTIFIER);
        !fixed && self.name != ETAG
    }
}

impl Request {
    pub(super) fn of(message: &MessageDescriptor) -> anyhow::Result<Option<Self>> {
        let Some(middle) = message.name().strip_suffix("Request") else { return Ok(None) };
        let created = middle.strip_prefix("Create").or_else(|| middle.strip_prefix("Upload"));
        let (update, resource) = match (created, middle.strip_prefix("Update")) {
            (Some(it), _) => (false, it),
            (None, Some(it)) => (true, it),
            (None, None) => return Ok(None),
        };
        let Some(field) = message.get_field_by_name(&snake_case(resource)) else { return Ok(None) };
        let Kind::Message(resource) = field.kind() else { return Ok(None) };
        let verb = if update {
            let mask = message.get_field_by_name(UPDATE_MASK);
            let missing = || anyhow::anyhow!("{} has no {UPDATE_MASK}", message.full_name());
            Verb::Update { mask: mask.ok_or_else(missing)?.number() }
        } else {
            Verb::Create
        };
        let (number, name) = (field.number(), field.name().to_owned());
        Ok(Some(Self { verb, field: number, name, members: members(&resource) }))
    }

    /// The fields that a create looks at. What only the service sets is passed over.
    pub(super) fn created(&self) -> Vec<u32> {
        let ours = |it: &&Member| !it.is(OUTPUT_ONLY) && !it.is(IDENTIFIER);
        self.members.iter().filter(ours).map(|it| it.number).collect()
    }

    /// The fields that an update sets.
    pub(super) fn updated(&self, paths: Option<&[String]>) -> Result<Vec<u32>> {
        let members = select(&self.members, paths.unwrap_or_default())?;
        Ok(members.iter().map(|it| it.number).collect())
    }

    /// Reports each REQUIRED field among `fields` that is empty.
    pub(super) fn check_required(
        &self,
        message: &DynamicMessage,
        fields: &[u32],
        walk: &mut Walk<'_>,
    ) {
        // Without a resource there is one problem, and it is the request's.
        let Some(resource) = message
            .get_field_by_number(self.field)
            .filter(|_| message.has_field_by_number(self.field))
        else {
            return;
        };
        let Some(resource) = resource.as_message() else { return };
        walk.at(&self.name, |walk| {
            for member in
                self.members.iter().filter(|it| it.is(REQUIRED) && fields.contains(&it.number))
            {
                let value = resource.get_field_by_number(member.number);
                let set = resource.has_field_by_number(member.number);
                if !set || value.is_none_or(|it| is_zero(&it)) {
                    walk.at(&member.name, |walk| walk.report("is required"));
                }
            }
        });
    }
}

/// The names of the fields that `paths` selects for an update of `resource`.
pub(crate) fn mask_paths(resource: &MessageDescriptor, paths: &[String]) -> Result<Vec<String>> {
    let members = members(resource);
    Ok(select(&members, paths)?.into_iter().map(|it| it.name.clone()).collect())
}

/// The paths of a request's mask; `None` when it is absent.
pub(super) fn mask_of(message: &DynamicMessage, field: u32) -> Option<Vec<String>> {
    let mask = message.get_field_by_number(field)?;
    let paths = mask.as_message()?.get_field_by_name("paths")?;
    Some(paths.as_list()?.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect())
}

fn select<'a>(members: &'a [Member], paths: &[String]) -> Result<Vec<&'a Member>> {
    if paths.is_empty() || paths == ["*"] {
        return Ok(members.iter().filter(|it| it.changeable()).collect());
    }
    let mut selected: Vec<&Member> = Vec::new();
    for path in paths {
        let refuse = |why: String| Error::invalid_as(Reason::InvalidUpdateMask, UPDATE_MASK, why);
        if let Some((whole, _)) = path.split_once('.') {
            let why = format!("`{path}` is part of a field; name the whole field, `{whole}`");
            return Err(refuse(why));
        }
        let Some(member) = members.iter().find(|it| it.name == *path) else {
            let known: Vec<&str> =
                members.iter().filter(|it| it.changeable()).map(|it| it.name.as_str()).collect();
            let why =
                format!("there is no field `{path}`; these can be changed: {}", known.join(", "));
            return Err(refuse(why));
        };
        if !member.changeable() {
            return Err(refuse(format!("`{path}` cannot be changed")));
        }
        if !selected.iter().any(|it| it.number == member.number) {
            selected.push(member);
        }
    }
    Ok(selected)
}

fn members(resource: &MessageDescriptor) -> Vec<Member> {
    let member = |field: FieldDescriptor| Member {
        number: field.number(),
        name: field.name().to_owned(),
        behaviors: behaviors(&field),
    };
    resource.fields().map(member).collect()
}

fn behaviors(field: &FieldDescriptor) -> Vec<i32> {
    let pool = field.parent_pool();
    let Some(extension) = pool.get_extension_by_name("google.api.field_behavior") else {
        return Vec::new();
    };
    let options = field.options();
    let value = options.get_extension(&extension);
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number).collect()
}

/// `CoreAction` → `core_action`
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (i, letter) in name.char_indices() {
        if letter.is_uppercase() && i != 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
