//! From the options of a field to checks that are cheap to run.

use super::value::{Check, Element, Number, Range};
use anyhow::{Context, Result, bail, ensure};
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    Value,
};
use regex::Regex;
use std::collections::{HashMap, HashSet};

/// `buf.validate.Ignore`
const IGNORE_IF_ZERO_VALUE: i32 = 1;
const IGNORE_ALWAYS: i32 = 3;

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
                field(it, extension.as_ref()).with_context(|| format!("in the rules of {place}"))
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

fn field(field: FieldDescriptor, extension: Option<&ExtensionDescriptor>) -> Result<FieldRules> {
    let mut rules = FieldRules {
        number: field.number(),
        name: field.name().to_owned(),
        presence: field.supports_presence(),
        required: false,
        element: Element::default(),
        nested: nested(&field),
    };
    let options = field.options();
    let Some(extension) = extension.filter(|it| options.has_extension(it)) else {
        return Ok(rules);
    };
    let options = options.get_extension(extension);
    let options = options.as_message().context("the option is not a message")?;
    rules.required = flag(options, "required");
    rules.element = element(options, &field.kind())?;
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

/// Reads a `buf.validate.FieldRules`.
fn element(options: &DynamicMessage, kind: &Kind) -> Result<Element> {
    known(options)?;
    let mut element = Element::default();
    for (option, value) in options.fields() {
        match (option.name(), value) {
            ("required", _) => {}
            ("ignore", Value::EnumNumber(0)) => {}
            ("ignore", Value::EnumNumber(IGNORE_IF_ZERO_VALUE)) => element.ignore_zero = true,
            ("ignore", Value::EnumNumber(IGNORE_ALWAYS)) => element.ignored = true,
            ("enum", Value::Message(it)) => checks(it, kind, &mut element.checks)?,
            (
                "string" | "bytes" | "repeated" | "map" | "bool" | "duration" | "timestamp",
                Value::Message(it),
            ) => {
                checks(it, kind, &mut element.checks)?;
            }
            (
                "int32" | "int64" | "uint32" | "uint64" | "sint32" | "sint64" | "fixed32"
                | "fixed64" | "sfixed32" | "sfixed64" | "float" | "double",
                Value::Message(it),
            ) => checks(it, kind, &mut element.checks)?,
            (other, _) => bail!("`{other}` is not known"),
        }
    }
    if element.ignored {
        element.checks.clear();
    }
    Ok(element)
}

/// Reads the rules of one type: `StringRules`, `Int32Rules` and so on, which share the names of what they have in common.
fn checks(rules: &DynamicMessage, kind: &Kind, checks: &mut Vec<Check>) -> Result<()> {
    known(rules)?;
    let mut range = Range::default();
    for (option, value) in rules.fields() {
        let bound = || Number::of(value).context("the bound is not a number");
        let check = match option.name() {
            "gt" => {
                range.low = Some((bound()?, false));
                continue;
            }
            "gte" => {
                range.low = Some((bound()?, true));
                continue;
            }
            "lt" => {
                range.high = Some((bound()?, false));
                continue;
            }
            "lte" => {
                range.high = Some((bound()?, true));
                continue;
            }
            "finite" if value.as_bool() == Some(true) => Check::Finite,
            "const" => Check::OneOf(vec![value.clone()]),
            "in" => Check::OneOf(list(value)?),
            "not_in" => Check::NoneOf(list(value)?),
            "defined_only" if value.as_bool() == Some(true) => match kind {
                Kind::Enum(it) => Check::Defined(it.clone()),
                _ => bail!("`defined_only` is for enums"),
            },
            "uuid" if value.as_bool() == Some(true) => Check::Uuid,
            "email" if value.as_bool() == Some(true) => Check::Email,
            "len" if matches!(kind, Kind::Bytes) => {
                Check::Bytes { min: size(value)?, max: size(value)? }
            }
            "min_len" if matches!(kind, Kind::Bytes) => {
                Check::Bytes { min: size(value)?, max: u64::MAX }
            }
            "max_len" if matches!(kind, Kind::Bytes) => Check::Bytes { min: 0, max: size(value)? },
            "len" => Check::Length { min: size(value)?, max: size(value)? },
            "min_len" => Check::Length { min: size(value)?, max: u64::MAX },
            "max_len" => Check::Length { min: 0, max: size(value)? },
            "min_bytes" => Check::Bytes { min: size(value)?, max: u64::MAX },
            "max_bytes" => Check::Bytes { min: 0, max: size(value)? },
            "pattern" => Check::Pattern(Regex::new(text(value)?)?),
            "prefix" => Check::Prefix(text(value)?.to_owned()),
            "suffix" => Check::Suffix(text(value)?.to_owned()),
            "min_items" => Check::Items { min: size(value)?, max: u64::MAX },
            "max_items" => Check::Items { min: 0, max: size(value)? },
            "unique" if value.as_bool() == Some(true) => Check::Unique,
            "items" => Check::Each(inner(value, kind)?),
            "min_pairs" => Check::Items { min: size(value)?, max: u64::MAX },
            "max_pairs" => Check::Items { min: 0, max: size(value)? },
            "keys" => Check::Keys(inner(value, &entry(kind)?.map_entry_key_field().kind())?),
            "values" => Check::Values(inner(value, &entry(kind)?.map_entry_value_field().kind())?),
            "example" => continue,
            other => bail!("`{other}` is not known"),
        };
        checks.push(check);
    }
    if range != Range::default() {
        ensure!(!range.is_empty(), "no value lies between the bounds");
        checks.push(Check::Range(range));
    }
    Ok(())
}

/// Fails on what this build's copy of the option's definition has no name for.
fn known(options: &DynamicMessage) -> Result<()> {
    ensure!(
        options.unknown_fields().next().is_none(),
        "a rule is newer than the copy of validate.proto"
    );
    match options.extensions().next() {
        Some((it, _)) => bail!("`{}` is not known", it.full_name()),
        None => Ok(()),
    }
}

fn inner(value: &Value, kind: &Kind) -> Result<Element> {
    let element = element(value.as_message().context("the rule is not a message")?, kind)?;
    Ok(element)
}

fn entry(kind: &Kind) -> Result<MessageDescriptor> {
    match kind {
        Kind::Message(it) if it.is_map_entry() => Ok(it.clone()),
        _ => bail!("the field is not a map"),
    }
}

fn flag(options: &DynamicMessage, name: &str) -> bool {
    options.get_field_by_name(name).and_then(|it| it.as_bool()).unwrap_or_default()
}

fn list(value: &Value) -> Result<Vec<Value>> {
    Ok(value.as_list().context("the rule is not a list")?.to_vec())
}

fn size(value: &Value) -> Result<u64> {
    value.as_u64().context("the size is not a number")
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("the rule is not a string")
}
