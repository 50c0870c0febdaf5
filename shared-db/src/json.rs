//! JSON between the wire (`google.protobuf.Struct` and `Value`), the database (`jsonb`) and messages kept as JSON.

use crate::error::{Error, Result};
use prost::{Message, Name};
use prost_reflect::{DeserializeOptions, DynamicMessage, SerializeOptions};
use prost_types::{ListValue, Struct, value::Kind};
use serde_json::{Map, Number, Value};

/// Whole numbers up to here are exact in a double, which is all that a `Struct` holds.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

pub fn from_struct(fields: Struct) -> Value {
    Value::Object(fields.fields.into_iter().map(|(key, value)| (key, from_value(value))).collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "checked to be whole and exact"
)]
pub fn from_value(value: prost_types::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(it)) => Value::Bool(it),
        Some(Kind::StringValue(it)) => Value::String(it),
        Some(Kind::NumberValue(it)) if it.trunc() == it && it.abs() <= EXACT_MAX => {
            Value::from(it as i64)
        }
        Some(Kind::NumberValue(it)) => Number::from_f64(it).map_or(Value::Null, Value::Number),
        Some(Kind::ListValue(it)) => Value::Array(it.values.into_iter().map(from_value).collect()),
        Some(Kind::StructValue(it)) => from_struct(it),
    }
}

/// `None` unless `value` is an object.
pub fn to_struct(value: Value) -> Option<Struct> {
    let Value::Object(map) = value else { return None };
    Some(object(map))
}

pub fn to_value(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(it) => Kind::BoolValue(it),
        Value::Number(it) => Kind::NumberValue(it.as_f64().unwrap_or(f64::NAN)),
        Value::String(it) => Kind::StringValue(it),
        Value::Array(it) => {
            Kind::ListValue(ListValue { values: it.into_iter().map(to_value).collect() })
        }
        Value::Object(it) => Kind::StructValue(object(it)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// Refuses a value of `field` that is longer than `bytes_max` as JSON.
pub fn check_size(field: &str, value: &Value, bytes_max: usize) -> Result<()> {
    let bytes = value.to_string().len();
    if bytes <= bytes_max {
        return Ok(());
    }
    let problem = format!("is {bytes} bytes as JSON, and must not be longer than {bytes_max}");
    Err(Error::invalid(field, problem))
}

fn object(map: Map<String, Value>) -> Struct {
    Struct { fields: map.into_iter().map(|(key, value)| (key, to_value(value))).collect() }
}

/// A message of `freehold.types.v1` in its canonical JSON form, with the names that the proto gives its fields.
pub fn from_message<M: Message + Name>(message: &M) -> Result<Value> {
    let mut dynamic = DynamicMessage::new(descriptor::<M>()?);
    dynamic.merge(message.encode_to_vec().as_slice()).map_err(Error::internal)?;
    let options = SerializeOptions::new().use_proto_field_name(true);
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).map_err(Error::internal)
}

/// The reverse of [`from_message`]. Unknown fields are passed over: an older replica reads what a newer one wrote.
pub fn to_message<M: Message + Name + Default>(value: Value) -> Result<M> {
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let dynamic = DynamicMessage::deserialize_with_options(descriptor::<M>()?, value, &options)
        .map_err(Error::internal)?;
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(Error::internal)
}

fn descriptor<M: Name>() -> Result<prost_reflect::MessageDescriptor> {
    common_api::descriptors().get_message_by_name(&M::full_name()).ok_or_else(|| {
        Error::internal(anyhow::anyhow!("{} is not in the common protos", M::full_name()))
    })
}
