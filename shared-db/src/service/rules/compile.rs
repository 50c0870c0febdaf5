//! Compiles the rules of all messages of a pool, and drops what leads to none.

use super::{options, value::Element};
use anyhow::{Context, Result, ensure};
use prost_reflect::{
    DescriptorPool, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};
use std::collections::{HashMap, HashSet};

/// The fields of a message that have something to check.
pub(super) struct MessageRules {
    pub(super) fields: Vec<FieldRules>,
}

pub(super) struct FieldRules {
    pub(super) number: u32,
    pub(super) name: String,
    /// The field knows whether it is set; unset it is passed over.
    pub(super) presence: bool,
    pub(super) required: bool,
    pub(super) element: Element,
    /// The message that it holds, if that one has rules.
    pub(super) nested: Option<String>,
}

impl FieldRules {
    fn is_empty(&self) -> bool {
        !self.required && self.element.checks.is_empty() && self.nested.is_none()
    }
}

/// Messages of other projects have no rules of ours.
pub(super) fn is_ours(message: &MessageDescriptor) -> bool {
    !["google.", "buf."]
        .iter()
        .any(|it| message.package_name().starts_with(it.trim_end_matches('.')))
}

/// The rules of all messages that have some, in themselves or in what they contain.
pub(super) fn messages(pool: &DescriptorPool) -> Result<HashMap<String, MessageRules>> {
    let extension = pool.get_extension_by_name("buf.validate.field");
    let mut all = HashMap::new();
    for message in pool.all_messages().filter(is_ours) {
        let name = message.full_name().to_owned();
        refuse_other_options(pool, &message)?;
        let fields = message
            .fields()
            .map(|it| {
                let place = it.full_name().to_owned();
                field(&it, extension.as_ref()).with_context(|| format!("in the rules of {place}"))
            })
            .collect::<Result<_>>()?;
        all.insert(name, MessageRules { fields });
    }
    Ok(prune(all))
}

/// Drops what leads to no rule, so that it is not walked for every request.
fn prune(mut all: HashMap<String, MessageRules>) -> HashMap<String, MessageRules> {
    let own = |it: &FieldRules| it.required || !it.element.checks.is_empty();
    let mut ruled: HashSet<String> = all
        .iter()
        .filter(|(_, it)| it.fields.iter().any(own))
        .map(|(name, _)| name.clone())
        .collect();
    loop {
        let leads = |it: &FieldRules| it.nested.as_ref().is_some_and(|to| ruled.contains(to));
        let more: Vec<String> = all
            .iter()
            .filter(|(name, it)| !ruled.contains(*name) && it.fields.iter().any(leads))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            break;
        }
        ruled.extend(more);
    }
    for rules in all.values_mut() {
        for field in &mut rules.fields {
            field.nested = field.nested.take().filter(|to| ruled.contains(to));
        }
        rules.fields.retain(|it| !it.is_empty());
    }
    all.retain(|_, it| !it.fields.is_empty());
    all
}

fn refuse_other_options(pool: &DescriptorPool, message: &MessageDescriptor) -> Result<()> {
    let name = message.full_name();
    if let Some(it) = pool.get_extension_by_name("buf.validate.message") {
        ensure!(
            !message.options().has_extension(&it),
            "{name}: rules of a whole message are not known"
        );
    }
    if let Some(it) = pool.get_extension_by_name("buf.validate.oneof") {
        let none = message.oneofs().all(|oneof| !oneof.options().has_extension(&it));
        ensure!(none, "{name}: rules of a oneof are not known");
    }
    Ok(())
}

fn field(field: &FieldDescriptor, extension: Option<&ExtensionDescriptor>) -> Result<FieldRules> {
    let mut rules = FieldRules {
        number: field.number(),
        name: field.name().to_owned(),
        presence: field.supports_presence(),
        required: false,
        element: Element::default(),
        nested: nested(field),
    };
    let options = field.options();
    let Some(extension) = extension.filter(|it| options.has_extension(it)) else {
        return Ok(rules);
    };
    let options = options.get_extension(extension);
    let options = options.as_message().context("the option is not a message")?;
    rules.required = options::required(options);
    rules.element = options::element(options, &field.kind(), Some(field.cardinality()))?;
    if rules.element.ignored {
        rules.required = false;
        rules.nested = None;
    }
    Ok(rules)
}

/// The message of ours that a field holds: itself, as a list, or as the values of a map.
fn nested(field: &FieldDescriptor) -> Option<String> {
    let Kind::Message(mut message) = field.kind() else { return None };
    if message.is_map_entry() {
        let Kind::Message(value) = message.map_entry_value_field().kind() else { return None };
        message = value;
    }
    is_ours(&message).then(|| message.full_name().to_owned())
}
