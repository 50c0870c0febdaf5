//! From the options of a field to checks that are cheap to run. An option that has no check here is an error.

use super::{
    number::{Number, Range},
    value::{Check, Element, Single},
};
use anyhow::{Context, Result, bail, ensure};
use prost_reflect::{Cardinality, DynamicMessage, Kind, MessageDescriptor, Value};
use regex::Regex;

/// `buf.validate.Ignore`
const IGNORE_IF_ZERO_VALUE: i32 = 1;
const IGNORE_ALWAYS: i32 = 3;

/// The name in `buf.validate.FieldRules` of the rules for a value. Whole fields can be lists and maps, what is in them cannot.
fn type_name(kind: &Kind, cardinality: Option<Cardinality>) -> Option<&'static str> {
    Some(match kind {
        Kind::Message(it) if it.is_map_entry() => "map",
        _ if cardinality == Some(Cardinality::Repeated) => "repeated",
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(_) => "enum",
        Kind::Message(it) if it.full_name() == "google.protobuf.Duration" => "duration",
        Kind::Message(it) if it.full_name() == "google.protobuf.Timestamp" => "timestamp",
        Kind::Message(_) => return None,
    })
}

/// Reads a `buf.validate.FieldRules`.
pub(super) fn element(
    options: &DynamicMessage,
    kind: &Kind,
    cardinality: Option<Cardinality>,
) -> Result<Element> {
    known(options)?;
    let mut element = Element::default();
    for (option, value) in options.fields() {
        match (option.name(), value) {
            ("required", _) | ("ignore", Value::EnumNumber(0)) => {}
            ("ignore", Value::EnumNumber(IGNORE_IF_ZERO_VALUE)) => element.ignore_zero = true,
            ("ignore", Value::EnumNumber(IGNORE_ALWAYS)) => element.ignored = true,
            (name, Value::Message(it)) if Some(name) == type_name(kind, cardinality) => {
                checks(it, kind, &mut element.checks)?;
            }
            (other, _) => bail!("`{other}` is not known, or not for this type"),
        }
    }
    if element.ignored {
        element.checks.clear();
    }
    Ok(element)
}

/// Reads the rules of one type: `StringRules`, `Int32Rules` and so on.
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
            "example" => continue,
            "items" => Check::Each(inner(value, kind)?),
            "keys" => Check::Keys(inner(value, &entry(kind)?.map_entry_key_field().kind())?),
            "values" => Check::Values(inner(value, &entry(kind)?.map_entry_value_field().kind())?),
            name => Check::Single(single(name, value, kind)?),
        };
        checks.push(check);
    }
    if range != Range::default() {
        ensure!(!range.is_empty(), "no value lies between the bounds");
        checks.push(Check::Single(Single::Range(range)));
    }
    Ok(())
}

fn single(name: &str, value: &Value, kind: &Kind) -> Result<Single> {
    let on = value.as_bool() == Some(true);
    Ok(match name {
        "const" => Single::OneOf(vec![value.clone()]),
        "in" => Single::OneOf(list(value)?),
        "not_in" => Single::NoneOf(list(value)?),
        "finite" if on => Single::Finite,
        "uuid" if on => Single::Uuid,
        "email" if on => Single::Email,
        "unique" if on => Single::Unique,
        "defined_only" if on => {
            let Kind::Enum(it) = kind else { bail!("`defined_only` is for enums") };
            Single::Defined(it.clone())
        }
        "pattern" => Single::Pattern(Regex::new(text(value)?)?),
        "prefix" => Single::Prefix(text(value)?.to_owned()),
        "suffix" => Single::Suffix(text(value)?.to_owned()),
        "len" | "min_len" | "max_len" => {
            let (min, max) = bounds(name, value)?;
            let bytes = matches!(kind, Kind::Bytes);
            if bytes { Single::Bytes { min, max } } else { Single::Length { min, max } }
        }
        "min_bytes" | "max_bytes" => {
            let (min, max) = bounds(name, value)?;
            Single::Bytes { min, max }
        }
        "min_items" | "max_items" | "min_pairs" | "max_pairs" => {
            let (min, max) = bounds(name, value)?;
            Single::Items { min, max }
        }
        other => bail!("`{other}` is not known"),
    })
}

/// The sizes that `min_…`, `max_…` or neither allows.
fn bounds(name: &str, value: &Value) -> Result<(u64, u64)> {
    let size = value.as_u64().context("the size is not a number")?;
    Ok(match name.split_once('_') {
        Some(("min", _)) => (size, u64::MAX),
        Some(("max", _)) => (0, size),
        _ => (size, size),
    })
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
    element(value.as_message().context("the rule is not a message")?, kind, None)
}

fn entry(kind: &Kind) -> Result<MessageDescriptor> {
    let Kind::Message(message) = kind else { bail!("the field is not a map") };
    ensure!(message.is_map_entry(), "the field is not a map");
    Ok(message.clone())
}

/// Whether the field must be set.
pub(super) fn required(options: &DynamicMessage) -> bool {
    options.get_field_by_name("required").and_then(|it| it.as_bool()).unwrap_or_default()
}

fn list(value: &Value) -> Result<Vec<Value>> {
    Ok(value.as_list().context("the rule is not a list")?.to_vec())
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("the rule is not a string")
}
