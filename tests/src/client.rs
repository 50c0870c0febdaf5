//! Somebody who calls: clients of every service, typed or by name, that carry a key and an organization.

mod dynamic;

pub use dynamic::{Api, Method, Recorded, least_role, path_of};

use serde_json::Value;
use std::sync::{Arc, Mutex};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataKey, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use web_api::v1 as web;

/// A channel that says who calls.
pub type Authed = InterceptedService<Channel, As>;

/// Puts the caller's metadata on each request.
#[derive(Clone, Debug, Default)]
pub struct As {
    metadata: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
}

impl As {
    /// By a key; without it nobody in particular.
    pub fn key(key: &str) -> Self {
        Self::default().with("authorization", &format!("Bearer {key}"))
    }

    /// Acts in the organization with this id.
    #[must_use]
    pub fn in_org(self, org: &str) -> Self {
        self.with("x-freehold-org", org)
    }

    /// Adds a header, in place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        let key = MetadataKey::from_static(name);
        self.metadata.retain(|(it, _)| *it != key);
        self.metadata.push((key, value.parse().expect("a header's value")));
        self
    }
}

impl Interceptor for As {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (key, value) in &self.metadata {
            request.metadata_mut().insert(key.clone(), value.clone());
        }
        Ok(request)
    }
}

/// A caller of one of the two services.
#[derive(Clone, Debug)]
pub struct Caller {
    pub channel: Channel,
    pub identity: As,
    pub api: Api,
    /// What was called by name, when somebody wants to know.
    pub record: Option<Arc<Mutex<Vec<Recorded>>>>,
}

macro_rules! clients {
    ($($name:ident: $module:ident::$client:ident),* $(,)?) => {$(
        pub fn $name(&self) -> web::$module::$client<Authed> {
            web::$module::$client::new(self.authed())
        }
    )*};
}

impl Caller {
    pub fn new(channel: Channel, api: Api, identity: As) -> Self {
        Self { channel, identity, api, record: None }
    }

    /// The same service, called by somebody else.
    #[must_use]
    pub fn with_identity(&self, identity: As) -> Self {
        Self { identity, ..self.clone() }
    }

    /// The channel that a generated client takes.
    pub fn authed(&self) -> Authed {
        InterceptedService::new(self.channel.clone(), self.identity.clone())
    }

    /// Calls a method by its name, such as `CoreActionService/GetCoreAction`, with the JSON form of its request. An
    /// `update_mask` is a list of paths here. Of a stream, the answer is the list of all its messages.
    pub async fn call(&self, method: &str, request: Value) -> Result<Value, Status> {
        dynamic::call(self, self.api.method(method), request).await
    }

    clients! {
        organizations: organization_service_client::OrganizationServiceClient,
        users: user_service_client::UserServiceClient,
        members: member_service_client::MemberServiceClient,
        api_keys: api_key_service_client::ApiKeyServiceClient,
        activities: activity_service_client::ActivityServiceClient,
        platforms: platform_service_client::PlatformServiceClient,
        core_actions: core_action_service_client::CoreActionServiceClient,
        notes: note_service_client::NoteServiceClient,
        agents: agent_service_client::AgentServiceClient,
        executions: execution_service_client::ExecutionServiceClient,
        files: file_service_client::FileServiceClient,
        file_folders: file_folder_service_client::FileFolderServiceClient,
        input_requests: input_request_service_client::InputRequestServiceClient,
    }

    pub fn runtime_agents(
        &self,
    ) -> runtime_api::v1::agent_service_client::AgentServiceClient<Authed> {
        runtime_api::v1::agent_service_client::AgentServiceClient::new(self.authed())
    }

    pub fn runtime_executions(
        &self,
    ) -> runtime_api::v1::execution_service_client::ExecutionServiceClient<Authed> {
        runtime_api::v1::execution_service_client::ExecutionServiceClient::new(self.authed())
    }
}
