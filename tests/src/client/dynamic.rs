//! Calls by name, from the descriptors alone: what the laws and the tour of every method are written with.

use super::Caller;
use common_api::options::Role;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, SerializeOptions,
};
use serde_json::Value;
use std::sync::LazyLock;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// One of the two contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Web,
    Runtime,
}

/// A method of a contract.
pub type Method = MethodDescriptor;

/// A call that was made by name.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Such as `freehold.web.v1.UserService/GetUser`.
    pub method: String,
    pub succeeded: bool,
}

static WEB: LazyLock<DescriptorPool> = LazyLock::new(|| pool(web_api::DESCRIPTOR));
static RUNTIME: LazyLock<DescriptorPool> = LazyLock::new(|| pool(runtime_api::DESCRIPTOR));

fn pool(descriptor: &[u8]) -> DescriptorPool {
    DescriptorPool::decode(descriptor).expect("the build encoded its own descriptors")
}

impl Api {
    pub fn pool(self) -> &'static DescriptorPool {
        match self {
            Self::Web => &WEB,
            Self::Runtime => &RUNTIME,
        }
    }

    pub fn package(self) -> &'static str {
        match self {
            Self::Web => "freehold.web.v1",
            Self::Runtime => "freehold.runtime.v1",
        }
    }

    /// Every method of the contract's own services.
    pub fn methods(self) -> impl Iterator<Item = Method> {
        let services = self.pool().services().filter(move |it| it.package_name() == self.package());
        services.flat_map(|it| it.methods().collect::<Vec<_>>())
    }

    /// The method with this name, such as `UserService/GetUser`.
    pub fn method(self, name: &str) -> Method {
        let found = self.methods().find(|it| path_of(it).ends_with(&format!(".{name}")));
        found.unwrap_or_else(|| panic!("{} has a method {name}", self.package()))
    }
}

/// Such as `freehold.web.v1.UserService/GetUser`.
pub fn path_of(method: &Method) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// The least role that the contract names for a method.
pub fn least_role(method: &Method) -> Role {
    let pool = method.parent_pool();
    let option = pool
        .get_extension_by_name("freehold.options.v1.least_role")
        .expect("the contract declares its option");
    let number = method.options().get_extension(&option).as_enum_number().unwrap_or_default();
    Role::try_from(number).unwrap_or_default()
}

pub(super) async fn call(caller: &Caller, method: Method, request: Value) -> Result<Value, Status> {
    let message = message(&method.input(), request);
    let path = path_of(&method);
    let streams = method.is_server_streaming();
    let result = send(caller, method, message).await;
    if let Some(record) = &caller.record {
        let succeeded = result.is_ok();
        record.lock().expect("no holder panics").push(Recorded { method: path, succeeded });
    }
    let mut messages = result?;
    Ok(if streams { Value::Array(messages) } else { messages.pop().unwrap_or_default() })
}

/// A message from its JSON form, in which an `update_mask` is a list of paths that need not be valid.
fn message(descriptor: &MessageDescriptor, mut json: Value) -> DynamicMessage {
    let mask = json.as_object_mut().and_then(|it| it.remove("update_mask"));
    let mut message = DynamicMessage::deserialize(descriptor.clone(), json.clone())
        .unwrap_or_else(|error| panic!("{} from {json}: {error}", descriptor.full_name()));
    if let Some(Value::Array(paths)) = mask {
        let paths = paths.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let field = descriptor.get_field_by_name("update_mask").expect("it takes a mask");
        let Kind::Message(kind) = field.kind() else { panic!("a mask is a message") };
        let mut value = DynamicMessage::new(kind);
        value
            .merge(prost_types::FieldMask { paths }.encode_to_vec().as_slice())
            .expect("a mask is a mask");
        message.set_field(&field, prost_reflect::Value::Message(value));
    }
    message
}

async fn send(
    caller: &Caller,
    method: Method,
    message: DynamicMessage,
) -> Result<Vec<Value>, Status> {
    let mut grpc = Grpc::new(caller.authed()).max_decoding_message_size(64 << 20);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = format!("/{}", path_of(&method)).parse().expect("a path");
    let mut answers = grpc
        .server_streaming(Request::new(message), path, DynamicCodec(method.output()))
        .await?
        .into_inner();
    let mut messages = Vec::new();
    while let Some(answer) = answers.message().await? {
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
        let json = answer.serialize_with_options(serde_json::value::Serializer, &options);
        messages.push(json.expect("an answer has a JSON form"));
    }
    Ok(messages)
}

/// Encodes and decodes messages that are known by their descriptors only.
#[derive(Clone)]
struct DynamicCodec(MessageDescriptor);

impl Codec for DynamicCodec {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let mut message = DynamicMessage::new(self.0.clone());
        message.merge(buffer).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(message))
    }
}
