//! Checks on one value, and the words in which a broken one is reported. The value itself is never repeated: it may be a secret.

use super::number::{Number, Range, same};
use prost_reflect::{EnumDescriptor, Value};
use regex::Regex;
use std::{collections::HashMap, fmt, sync::LazyLock};

/// What is asked of a value: of a field, an item of a list, a key or a value of a map.
#[derive(Default)]
pub(super) struct Element {
    pub(super) ignored: bool,
    /// The zero value is always allowed.
    pub(super) ignore_zero: bool,
    pub(super) checks: Vec<Check>,
}

pub(super) enum Check {
    Single(Single),
    /// Of each item of a list.
    Each(Element),
    /// Of each key of a map.
    Keys(Element),
    /// Of each value of a map.
    Values(Element),
}

/// What one value keeps or breaks.
pub(super) enum Single {
    OneOf(Vec<Value>),
    NoneOf(Vec<Value>),
    Range(Range),
    Finite,
    Defined(EnumDescriptor),
    Uuid,
    Email,
    /// In characters.
    Length {
        min: u64,
        max: u64,
    },
    Bytes {
        min: u64,
        max: u64,
    },
    Pattern(Regex),
    Prefix(String),
    Suffix(String),
    /// Of a list or a map.
    Items {
        min: u64,
        max: u64,
    },
    Unique,
}

/// The HTML standard's address, which is what `buf.validate` asks for.
static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    let pattern = format!(r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{label}(?:\.{label})*$");
    Regex::new(&pattern).expect("the pattern is constant")
});

impl Single {
    pub(super) fn keeps(&self, value: &Value) -> bool {
        let text = value.as_str().unwrap_or_default();
        match self {
            Self::OneOf(allowed) => allowed.iter().any(|it| same(it, value)),
            Self::NoneOf(refused) => !refused.iter().any(|it| same(it, value)),
            Self::Range(range) => range.contains(value),
            Self::Finite => matches!(Number::of(value), Some(Number::Float(it)) if it.is_finite()),
            Self::Defined(it) => value.as_enum_number().is_some_and(|n| it.get_value(n).is_some()),
            // Of the forms that parse, only the hyphenated one.
            Self::Uuid => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
            Self::Email => EMAIL.is_match(text),
            Self::Length { min, max } => (*min..=*max).contains(&(text.chars().count() as u64)),
            Self::Bytes { min, max } => (*min..=*max).contains(&bytes(value)),
            Self::Pattern(pattern) => pattern.is_match(text),
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::Items { min, max } => (*min..=*max).contains(&items(value)),
            Self::Unique => !has_duplicate(value.as_list().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(it) => write!(f, "must be one of {}", Listed(it)),
            Self::NoneOf(it) => write!(f, "must not be one of {}", Listed(it)),
            Self::Range(it) => write!(f, "must be {it}"),
            Self::Finite => f.write_str("must be a finite number"),
            Self::Defined(it) => write!(f, "must be a value of {}", it.full_name()),
            Self::Uuid => f.write_str("must be a UUID"),
            Self::Email => f.write_str("must be an email address"),
            Self::Length { min, max } => Size { min, max, unit: "characters" }.fmt(f),
            Self::Bytes { min, max } => Size { min, max, unit: "bytes" }.fmt(f),
            Self::Items { min, max } => Size { min, max, unit: "items" }.fmt(f),
            Self::Pattern(it) => write!(f, "must match {it}"),
            Self::Prefix(it) => write!(f, "must begin with `{it}`"),
            Self::Suffix(it) => write!(f, "must end with `{it}`"),
            Self::Unique => f.write_str("must not contain anything twice"),
        }
    }
}

struct Size<'a> {
    min: &'a u64,
    max: &'a u64,
    unit: &'static str,
}

impl fmt::Display for Size<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max, unit } = self;
        match (**min, **max) {
            (1, u64::MAX) => f.write_str("must not be empty"),
            (min, u64::MAX) => write!(f, "must have at least {min} {unit}"),
            (0, max) => write!(f, "must have at most {max} {unit}"),
            (min, max) if min == max => write!(f, "must have {min} {unit}"),
            (min, max) => write!(f, "must have {min} to {max} {unit}"),
        }
    }
}

struct Listed<'a>(&'a [Value]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, it) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            match (it.as_str(), Number::of(it)) {
                (Some(text), _) => write!(f, "{separator}{text}")?,
                (None, Some(number)) => write!(f, "{separator}{number}")?,
                (None, None) => write!(f, "{separator}{it}")?,
            }
        }
        Ok(())
    }
}

fn bytes(value: &Value) -> u64 {
    value.as_bytes().map_or_else(|| value.as_str().map_or(0, str::len), bytes::Bytes::len) as u64
}

fn items(value: &Value) -> u64 {
    value.as_list().map_or_else(|| value.as_map().map_or(0, HashMap::len), <[Value]>::len) as u64
}

fn has_duplicate(items: &[Value]) -> bool {
    items.iter().enumerate().any(|(i, it)| items[..i].iter().any(|earlier| same(earlier, it)))
}
