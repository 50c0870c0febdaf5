//! The ways into a running Freehold, however it was started: who calls, and organizations to call in.

use crate::{
    client::{Api, As, Caller},
    org::{self, Org},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// The platform's key of everything that tests start.
pub const PLATFORM_KEY: &str = "the-platform-key-of-tests-and-of-nothing-else";
/// What web-service shows to runtime-service.
pub const RUNTIME_KEY: &str = "the-key-between-the-services-of-tests-alone";

/// Channels to web-service and to a runtime-service, if there is one.
#[derive(Clone, Debug)]
pub struct Doors {
    pub web: Channel,
    pub runtime: Option<Channel>,
}

impl Doors {
    /// Calls web-service as nobody in particular.
    pub fn nobody(&self) -> Caller {
        Caller::new(self.web.clone(), Api::Web, As::default())
    }

    /// Calls web-service with the platform's key, in no organization.
    pub fn platform(&self) -> Caller {
        self.nobody().with_identity(As::key(PLATFORM_KEY))
    }

    /// Calls runtime-service as nobody in particular.
    pub fn runtime(&self) -> Caller {
        let channel = self.runtime.clone().expect("there is a runtime-service");
        Caller::new(channel, Api::Runtime, As::default())
    }

    /// A new organization with a member and a key of each role.
    pub async fn organization(&self) -> Org {
        Org::create(self.clone()).await
    }

    /// The id of a new platform with this slug.
    pub async fn platform_named(&self, slug: &str) -> String {
        org::platform_named(&self.platform(), slug).await
    }
}

/// A channel that connects when it is first used, and again when the service has come back.
pub fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address is one");
    endpoint.connect_timeout(Duration::from_secs(5)).connect_lazy()
}

/// What the health listener says of the service as a whole; `None` when nobody answers.
pub async fn health(address: SocketAddr) -> Option<ServingStatus> {
    health_by(channel(address)).await
}

/// The same by a channel to the health listener.
pub(crate) async fn health_by(channel: Channel) -> Option<ServingStatus> {
    let mut client = HealthClient::new(channel);
    let answer = client.check(HealthCheckRequest { service: String::new() }).await;
    answer.ok().map(|it| it.into_inner().status())
}

/// Waits until the health listener says `wanted`. `Err` holds what it says instead after `patience`.
pub async fn until_health(
    address: SocketAddr,
    wanted: ServingStatus,
    patience: Duration,
) -> Result<(), Option<ServingStatus>> {
    let give_up = Instant::now() + patience;
    loop {
        let status = health(address).await;
        if status == Some(wanted) {
            return Ok(());
        }
        if give_up < Instant::now() {
            return Err(status);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The page that Prometheus reads. It is of the process: stacks in one process share it.
pub async fn metrics(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the metrics are served");
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("it listens");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("it answers");
    page
}
