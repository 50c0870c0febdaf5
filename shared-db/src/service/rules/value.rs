//! Checks on one value, and the words in which a broken one is reported. The value itself is never repeated: it may be a secret.

use prost_reflect::{DynamicMessage, EnumDescriptor, ReflectMessage, Value};
use regex::Regex;
use std::{cmp::Ordering, fmt, sync::LazyLock};

/// What is asked of a value: of a field, an item of a list, a key or a value of a map.
#[derive(Default)]
pub(super) struct Element {
    pub(super) ignored: bool,
    /// The zero value is always allowed.
    pub(super) ignore_zero: bool,
    pub(super) checks: Vec<Check>,
}

pub(super) enum Check {
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
    Each(Element),
    Keys(Element),
    Values(Element),
}

/// Something with an order: whole numbers, durations and times (in nanoseconds), floating point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
    /// Nanoseconds.
    Duration(i128),
    /// Nanoseconds since 1970.
    Time(i128),
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Range {
    /// Bound, and whether it is allowed itself.
    pub(super) low: Option<(Number, bool)>,
    pub(super) high: Option<(Number, bool)>,
}

/// The HTML standard's address, which is what `buf.validate` asks for.
static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    let pattern = format!(r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{label}(?:\.{label})*$");
    Regex::new(&pattern).expect("the pattern is constant")
});

impl Check {
    /// What is wrong with a single value. Lists and maps are walked by their caller.
    pub(super) fn problem(&self, value: &Value) -> Option<String> {
        let text = value.as_str().unwrap_or_default();
        let broken = match self {
            Self::OneOf(allowed) => !allowed.iter().any(|it| same(it, value)),
            Self::NoneOf(refused) => refused.iter().any(|it| same(it, value)),
            Self::Range(range) => !range.contains(value),
            Self::Finite => !matches!(Number::of(value), Some(Number::Float(it)) if it.is_finite()),
            Self::Defined(it) => value.as_enum_number().and_then(|n| it.get_value(n)).is_none(),
            Self::Uuid => text.len() != 36 || uuid::Uuid::try_parse(text).is_err(),
            Self::Email => !EMAIL.is_match(text),
            Self::Length { min, max } => !(*min..=*max).contains(&(text.chars().count() as u64)),
            Self::Bytes { min, max } => !(*min..=*max).contains(&bytes(value)),
            Self::Pattern(pattern) => !pattern.is_match(text),
            Self::Prefix(prefix) => !text.starts_with(prefix),
            Self::Suffix(suffix) => !text.ends_with(suffix),
            Self::Items { min, max } => !(*min..=*max).contains(&items(value)),
            Self::Unique => has_duplicate(value.as_list().unwrap_or_default()),
            Self::Each(_) | Self::Keys(_) | Self::Values(_) => false,
        };
        broken.then(|| self.to_string())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(it) => write!(f, "must be one of {}", Listed(it)),
            Self::NoneOf(it) => write!(f, "must not be one of {}", Listed(it)),
            Self::Range(it) => write!(f, "must be {it}"),
            Self::Finite => f.write_str("must be a finite number"),
            Self::Defined(it) => write!(f, "must be a value of {}", it.full_name()),
            Self::Uuid => f.write_str("must be a UUID"),
            Self::Email => f.write_str("must be an email address"),
            Self::Length { min, max } => Sized_ { min, max, unit: "characters" }.fmt(f),
            Self::Bytes { min, max } => Sized_ { min, max, unit: "bytes" }.fmt(f),
            Self::Items { min, max } => Sized_ { min, max, unit: "items" }.fmt(f),
            Self::Pattern(it) => write!(f, "must match {it}"),
            Self::Prefix(it) => write!(f, "must begin with `{it}`"),
            Self::Suffix(it) => write!(f, "must end with `{it}`"),
            Self::Unique => f.write_str("must not contain anything twice"),
            Self::Each(_) | Self::Keys(_) | Self::Values(_) => Ok(()),
        }
    }
}

struct Sized_<'a> {
    min: &'a u64,
    max: &'a u64,
    unit: &'static str,
}

impl fmt::Display for Sized_<'_> {
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

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::I32(it) | Value::EnumNumber(it) => Self::Whole(i128::from(*it)),
            Value::I64(it) => Self::Whole(i128::from(*it)),
            Value::U32(it) => Self::Whole(i128::from(*it)),
            Value::U64(it) => Self::Whole(i128::from(*it)),
            Value::F32(it) => Self::Float(f64::from(*it)),
            Value::F64(it) => Self::Float(*it),
            Value::Message(it) => return Self::of_message(it),
            Value::Bool(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Map(_) => return None,
        })
    }

    fn of_message(message: &DynamicMessage) -> Option<Self> {
        let seconds = message.get_field_by_name("seconds")?.as_i64()?;
        let nanos = message.get_field_by_name("nanos")?.as_i32()?;
        let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        match message.descriptor().full_name() {
            "google.protobuf.Duration" => Some(Self::Duration(total)),
            "google.protobuf.Timestamp" => Some(Self::Time(total)),
            _ => None,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b))
            | (Self::Duration(a), Self::Duration(b))
            | (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            _ => None,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: i128 = 1_000_000_000;
        match self {
            Self::Whole(it) => it.fmt(f),
            Self::Float(it) => it.fmt(f),
            Self::Duration(it) if it % SECOND == 0 => write!(f, "{} s", it / SECOND),
            Self::Duration(it) if it % 1_000_000 == 0 => write!(f, "{} ms", it / 1_000_000),
            Self::Duration(it) => write!(f, "{it} ns"),
            Self::Time(it) => write!(f, "{} s after 1970", it / SECOND),
        }
    }
}

impl Range {
    /// NaN lies nowhere.
    fn contains(&self, value: &Value) -> bool {
        let Some(number) = Number::of(value) else { return false };
        let above = self.low.is_none_or(|(low, itself)| low < number || (itself && low == number));
        let below =
            self.high.is_none_or(|(high, itself)| number < high || (itself && number == high));
        above && below
    }

    pub(super) fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (Some((low, with_low)), Some((high, with_high))) => {
                high < low || (high == low && !(with_low && with_high))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = self
            .low
            .map(|(it, itself)| format!("{} {it}", if itself { "at least" } else { "more than" }));
        let high = self
            .high
            .map(|(it, itself)| format!("{} {it}", if itself { "at most" } else { "less than" }));
        let parts: Vec<String> = [low, high].into_iter().flatten().collect();
        f.write_str(&parts.join(" and "))
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (Number::of(a), Number::of(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn bytes(value: &Value) -> u64 {
    value.as_bytes().map_or_else(|| value.as_str().map_or(0, str::len), |it| it.len()) as u64
}

fn items(value: &Value) -> u64 {
    value.as_list().map_or_else(|| value.as_map().map_or(0, |it| it.len()), <[Value]>::len) as u64
}

fn has_duplicate(items: &[Value]) -> bool {
    items.iter().enumerate().any(|(i, it)| items[..i].iter().any(|earlier| same(earlier, it)))
}
