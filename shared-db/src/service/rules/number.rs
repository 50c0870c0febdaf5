//! Values with an order, and what lies between two of them.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use std::{cmp::Ordering, fmt};

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
    pub(super) fn contains(&self, value: &Value) -> bool {
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

/// Whether two values are the same, whichever types they are written in.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (Number::of(a), Number::of(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
