//! How programs that are no tests reach a running web-service: the demo and the bench.

use anyhow::{Context, Result, bail};
use std::time::Duration;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt;

/// How long web-service may take to say that it serves.
const HEALTHY_WITHIN: Duration = Duration::from_mins(1);

/// A channel to an address such as `http://127.0.0.1:50051`, connected when it is first used.
pub fn connect(address: &str) -> Result<Channel> {
    let endpoint = Endpoint::new(address.to_owned())
        .with_context(|| format!("{address} is not an address"))?;
    Ok(endpoint.connect_lazy())
}

/// Waits until web-service says that it serves.
pub async fn healthy(address: &str) -> Result<()> {
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
pub fn failed(what: &str, status: &Status) -> anyhow::Error {
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
