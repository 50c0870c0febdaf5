//! The clients of web-service, with a key in each call.

use anyhow::{Context, Result, bail};
use std::time::Duration;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt;
use web_api::v1::{
    agent_service_client::AgentServiceClient, core_action_service_client::CoreActionServiceClient,
    execution_service_client::ExecutionServiceClient,
    platform_service_client::PlatformServiceClient,
};

/// How long web-service may take to say that it serves.
const HEALTHY_WITHIN: Duration = Duration::from_mins(1);

/// A channel that puts the key into each call.
pub(crate) type Keyed = InterceptedService<Channel, Key>;

#[derive(Clone)]
pub(crate) struct Key(MetadataValue<Ascii>);

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) struct Clients {
    pub platforms: PlatformServiceClient<Keyed>,
    pub actions: CoreActionServiceClient<Keyed>,
    pub agents: AgentServiceClient<Keyed>,
    pub executions: ExecutionServiceClient<Keyed>,
}

impl Clients {
    pub(crate) fn new(channel: &Channel, key: &str) -> Result<Self> {
        let mut bearer: MetadataValue<Ascii> =
            format!("Bearer {key}").parse().context("the key is not ASCII")?;
        bearer.set_sensitive(true);
        let keyed = InterceptedService::new(channel.clone(), Key(bearer));
        Ok(Self {
            platforms: PlatformServiceClient::new(keyed.clone()),
            actions: CoreActionServiceClient::new(keyed.clone()),
            agents: AgentServiceClient::new(keyed.clone()),
            executions: ExecutionServiceClient::new(keyed),
        })
    }
}

pub(crate) fn connect(address: &str) -> Result<Channel> {
    let endpoint = Endpoint::new(address.to_owned())
        .with_context(|| format!("{address} is not an address"))?;
    Ok(endpoint.connect_lazy())
}

/// Waits until web-service says that it serves.
pub(crate) async fn healthy(address: &str) -> Result<()> {
    let mut client = HealthClient::new(connect(address)?);
    let mut last = String::new();
    let waited = tokio::time::timeout(HEALTHY_WITHIN, async {
        loop {
            match client.check(HealthCheckRequest::default()).await {
                Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => return,
                Ok(answer) => answer.get_ref().status().as_str_name().clone_into(&mut last),
                Err(status) => status.message().clone_into(&mut last),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    if waited.await.is_err() {
        bail!("web-service did not become healthy; last it said: {last}");
    }
    Ok(())
}

/// A failed call in words, with the reason that Freehold publishes for it.
pub(crate) fn failed(what: &str, status: &Status) -> anyhow::Error {
    let reason = status.get_details_error_info().map(|it| it.reason).unwrap_or_default();
    let fields: Vec<String> = status
        .get_details_bad_request()
        .map(|it| it.field_violations)
        .unwrap_or_default()
        .into_iter()
        .map(|it| format!("; {}: {}", it.field, it.description))
        .collect();
    anyhow::anyhow!("{what}: {:?} {reason}: {}{}", status.code(), status.message(), fields.concat())
}
