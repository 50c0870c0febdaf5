//! The walk over a message with its rules in hand, which keeps the path that it stands at.

use super::{
    Book, VIOLATIONS_MAX, Violation,
    compile::{FieldRules, MessageRules},
    value::{Check, Element},
};
use prost_reflect::{DynamicMessage, MapKey, Value};
use std::fmt::Write;

/// Characters of a map's key that are repeated in a path.
const KEY_CHARS_MAX: usize = 64;

/// The field of a request that holds the resource, and the numbers of the resource's fields that count.
pub(super) type Wanted = (u32, Vec<u32>);

pub(super) struct Walk<'a> {
    book: &'a Book,
    path: String,
    violations: Vec<Violation>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(book: &'a Book) -> Self {
        Self { book, path: String::new(), violations: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<Violation> {
        self.violations
    }

    /// Reports a problem with the field `name` of where the walk stands.
    pub(super) fn report(&mut self, problem: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation { field: self.path.clone(), problem: problem.into() });
        }
    }

    /// Runs `then` one step deeper.
    pub(super) fn at(&mut self, step: &str, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length != 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        then(self);
        self.path.truncate(length);
    }

    /// Walks a request; of its resource only the `wanted` fields.
    pub(super) fn message(
        &mut self,
        rules: &MessageRules,
        message: &DynamicMessage,
        wanted: Option<&Wanted>,
    ) {
        for field in &rules.fields {
            let only =
                wanted.filter(|(number, _)| *number == field.number).map(|(_, it)| it.as_slice());
            self.at(&field.name, |walk| walk.field(field, message, only));
        }
    }

    fn field(&mut self, rules: &FieldRules, message: &DynamicMessage, only: Option<&[u32]>) {
        let set = message.has_field_by_number(rules.number);
        if rules.required && !set {
            return self.report("is required");
        }
        if !set && (rules.presence || rules.element.ignore_zero) {
            return;
        }
        let Some(value) = message.get_field_by_number(rules.number) else { return };
        self.element(&rules.element, &value);
        if let Some(nested) = &rules.nested {
            self.nested(nested, &value, only);
        }
    }

    fn element(&mut self, element: &Element, value: &Value) {
        if element.ignored || (element.ignore_zero && is_zero(value)) {
            return;
        }
        for check in &element.checks {
            match check {
                Check::Each(each) => {
                    for (i, item) in value.as_list().unwrap_or_default().iter().enumerate() {
                        self.at(&format!("[{i}]"), |walk| walk.element(each, item));
                    }
                }
                Check::Keys(each) => {
                    for key in value.as_map().into_iter().flat_map(|it| it.keys()) {
                        self.at(&key_step(key), |walk| walk.element(each, &key.clone().into()));
                    }
                }
                Check::Values(each) => {
                    for (key, item) in value.as_map().into_iter().flatten() {
                        self.at(&key_step(key), |walk| walk.element(each, item));
                    }
                }
                Check::Single(it) => {
                    if !it.keeps(value) {
                        self.report(it.to_string());
                    }
                }
            }
        }
    }

    fn nested(&mut self, name: &str, value: &Value, only: Option<&[u32]>) {
        let Some(rules) = self.book.get(name).and_then(|it| it.rules.as_ref()) else { return };
        if let Some(message) = value.as_message() {
            for field in &rules.fields {
                if only.is_none_or(|it| it.contains(&field.number)) {
                    self.at(&field.name, |walk| walk.field(field, message, None));
                }
            }
        }
        for (i, item) in value.as_list().unwrap_or_default().iter().enumerate() {
            self.at(&format!("[{i}]"), |walk| walk.nested(name, item, None));
        }
        for (key, item) in value.as_map().into_iter().flatten() {
            self.at(&key_step(key), |walk| walk.nested(name, item, None));
        }
    }
}

/// Whether a value is the one that an unset field has.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(it) => !it,
        Value::I32(it) | Value::EnumNumber(it) => *it == 0,
        Value::I64(it) => *it == 0,
        Value::U32(it) => *it == 0,
        Value::U64(it) => *it == 0,
        Value::F32(it) => it.to_bits() == 0,
        Value::F64(it) => it.to_bits() == 0,
        Value::String(it) => it.is_empty(),
        Value::Bytes(it) => it.is_empty(),
        Value::List(it) => it.is_empty(),
        Value::Map(it) => it.is_empty(),
        Value::Message(_) => false,
    }
}

fn key_step(key: &MapKey) -> String {
    let mut step = String::from("[");
    match key {
        MapKey::String(it) => {
            let shown: String = it.chars().take(KEY_CHARS_MAX).collect();
            write!(step, "{shown:?}")
        }
        MapKey::Bool(it) => write!(step, "{it}"),
        MapKey::I32(it) => write!(step, "{it}"),
        MapKey::I64(it) => write!(step, "{it}"),
        MapKey::U32(it) => write!(step, "{it}"),
        MapKey::U64(it) => write!(step, "{it}"),
    }
    .expect("a String takes it");
    step.push(']');
    step
}
