//! What columns hold and how the wire says it. A description names the type; both ways follow from it.

use chrono::{DateTime, Utc};
use prost_types::{Struct, Timestamp};
use serde_json::Value;
use shared_db::{
    error::Result,
    ids::{AgentId, CoreActionId, ExecutionId, FileId, OrganizationId, UserId},
    json,
    wire::{time, timestamp},
};
use uuid::Uuid;

/// Bytes of a JSON object in a column, as PostgreSQL writes it. The columns check the same.
const OBJECT_BYTES_MAX: usize = 64 << 10;

/// A value of a column, and the same on the wire.
pub trait Column: Sized {
    type Wire;
    fn into_wire(self) -> Self::Wire;
    /// `field` names it in a request: `note.title`.
    fn from_wire(field: &'static str, wire: Self::Wire) -> Result<Self>;
}

/// A value that rows of a list are compared with. The zero value of a field means that they are not.
pub trait Condition: Sized {
    type Wire;
    fn read(field: &'static str, wire: &Self::Wire) -> Result<Option<Self>>;
}

/// A condition that has no value: it holds or is left out.
#[derive(Clone, Copy, Debug)]
pub struct Flag;

/// An exact decimal. The wire and the statements have it as text, so that nothing is rounded on the way.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Decimal(pub String);

/// A JSON object.
#[derive(Clone, Debug, PartialEq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Object(pub Value);

macro_rules! as_it_is {
    ($($ty:ty),*) => {$(
        impl Column for $ty {
            type Wire = Self;

            fn into_wire(self) -> Self {
                self
            }

            fn from_wire(_: &'static str, wire: Self) -> Result<Self> {
                Ok(wire)
            }
        }
    )*};
}

as_it_is!(String, bool, i32, i64);

impl<T: Column> Column for Vec<T> {
    type Wire = Vec<T::Wire>;

    fn into_wire(self) -> Self::Wire {
        self.into_iter().map(T::into_wire).collect()
    }

    fn from_wire(field: &'static str, wire: Self::Wire) -> Result<Self> {
        wire.into_iter().map(|it| T::from_wire(field, it)).collect()
    }
}

impl<T: Column> Column for Option<T> {
    type Wire = Option<T::Wire>;

    fn into_wire(self) -> Self::Wire {
        self.map(T::into_wire)
    }

    fn from_wire(field: &'static str, wire: Self::Wire) -> Result<Self> {
        wire.map(|it| T::from_wire(field, it)).transpose()
    }
}

impl Column for Decimal {
    type Wire = String;

    fn into_wire(self) -> String {
        self.0
    }

    fn from_wire(_: &'static str, wire: String) -> Result<Self> {
        // The proto has the pattern. What may be left out is nothing.
        Ok(Self(if wire.is_empty() { "0".to_owned() } else { wire }))
    }
}

impl Column for DateTime<Utc> {
    type Wire = Timestamp;

    fn into_wire(self) -> Timestamp {
        timestamp(self)
    }

    fn from_wire(field: &'static str, wire: Timestamp) -> Result<Self> {
        time(field, wire)
    }
}

impl Column for Object {
    type Wire = Struct;

    fn into_wire(self) -> Struct {
        json::to_struct(self.0).unwrap_or_default()
    }

    fn from_wire(field: &'static str, wire: Struct) -> Result<Self> {
        crate::api::request::object(field, wire, OBJECT_BYTES_MAX).map(Self)
    }
}

impl Condition for String {
    type Wire = Self;

    fn read(_: &'static str, wire: &Self) -> Result<Option<Self>> {
        Ok((!wire.is_empty()).then(|| wire.clone()))
    }
}

impl Condition for bool {
    type Wire = Option<Self>;

    fn read(_: &'static str, wire: &Option<Self>) -> Result<Option<Self>> {
        Ok(*wire)
    }
}

impl Condition for DateTime<Utc> {
    type Wire = Option<Timestamp>;

    fn read(field: &'static str, wire: &Option<Timestamp>) -> Result<Option<Self>> {
        crate::api::request::time_if_any(field, *wire)
    }
}

/// An id as a column and as a condition.
macro_rules! id_column {
    ($($id:ident),* $(,)?) => {$(
        impl crate::resource::Column for $id {
            type Wire = String;

            fn into_wire(self) -> String {
                self.to_string()
            }

            fn from_wire(field: &'static str, wire: String) -> ::shared_db::error::Result<Self> {
                crate::api::request::id(field, &wire)
            }
        }

        impl crate::resource::Condition for $id {
            type Wire = String;

            fn read(field: &'static str, wire: &String) -> ::shared_db::error::Result<Option<Self>> {
                crate::api::request::id_if_any(field, wire)
            }
        }
    )*};
}
pub(crate) use id_column;

id_column!(AgentId, CoreActionId, ExecutionId, FileId, OrganizationId, UserId, Uuid);

/// Enums of the schema `web` that `freehold.web.v1` has under the same name. The first is what a new row has when nothing is said.
macro_rules! wire_enums {
    ($($(#[$doc:meta])* $name:ident = $sql:literal { $($variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
        #[sqlx(type_name = $sql, rename_all = "snake_case")]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            fn read(field: &'static str, wire: i32) -> ::shared_db::error::Result<Option<Self>> {
                match ::web_api::v1::$name::try_from(wire) {
                    Ok(::web_api::v1::$name::Unspecified) => Ok(None),
                    $(Ok(::web_api::v1::$name::$variant) => Ok(Some(Self::$variant)),)*
                    Err(_) => Err(::shared_db::error::Error::invalid(field, "is no value of its enum")),
                }
            }
        }

        impl crate::resource::Column for $name {
            type Wire = i32;

            fn into_wire(self) -> i32 {
                match self { $(Self::$variant => ::web_api::v1::$name::$variant),* }.into()
            }

            fn from_wire(field: &'static str, wire: i32) -> ::shared_db::error::Result<Self> {
                Ok(Self::read(field, wire)?.unwrap_or(Self::ALL[0]))
            }
        }

        impl crate::resource::Condition for $name {
            type Wire = i32;

            fn read(field: &'static str, wire: &i32) -> ::shared_db::error::Result<Option<Self>> {
                Self::read(field, *wire)
            }
        }
    )*};
}
pub(crate) use wire_enums;

/// Where a row without a time stands in an ascending list. The statements say the same.
pub fn far_future() -> DateTime<Utc> {
    DateTime::from_timestamp(253_370_764_800, 0).unwrap_or_default()
}

/// The same in a descending one.
pub fn far_past() -> DateTime<Utc> {
    DateTime::from_timestamp(-30_610_224_000, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_time_stand_where_the_statements_put_them() {
        assert_eq!(far_future().to_rfc3339(), "9999-01-01T00:00:00+00:00");
        assert_eq!(far_past().to_rfc3339(), "1000-01-01T00:00:00+00:00");
    }
}
