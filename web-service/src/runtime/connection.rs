//! One connection to one replica of runtime-service.

use anyhow::{Context, Result, bail, ensure};
use http::{HeaderValue, Uri, header, uri::PathAndQuery};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http2::{Builder, SendRequest},
    },
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost::bytes::Bytes;
use rustls::{ClientConfig, pki_types::ServerName};
use shared_db::service::tls::Reloading;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::body::Body;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first request on a connection to an answer, whatever it says.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

/// Silence on a connection before it is asked for a sign of life, and how long that may take. Together they are shorter than a
/// command may take, so that one which a replica has fallen silent over is given to another in time.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("freehold-web-service/", env!("CARGO_PKG_VERSION")));

/// The URL that is meant, and an address that its name has.
pub(super) type Key = (Uri, SocketAddr);

/// How web proves itself, and the DNS name that the certificate must have when it is not the host of the URL.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<Reloading<ClientConfig>>,
    pub(super) name: Option<String>,
}

#[derive(Clone)]
pub(super) struct Connection {
    url: Uri,
    sender: SendRequest<Body>,
}

impl Connection {
    /// Connects, and waits for a first answer: a kernel takes connections for a process that is frozen, and TLS 1.3 has a server
    /// refuse a certificate after the client has taken the handshake for done. The task ends with the connection.
    pub(super) async fn open(
        (url, address): &Key,
        tls: Option<&Tls>,
    ) -> Result<(Self, JoinHandle<()>)> {
        let tcp = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let tcp = tcp.context("nobody answers")?.context("it cannot be connected to")?;
        tcp.set_nodelay(true)?;
        let (sender, ended) = match (url.scheme_str(), tls) {
            (Some("https"), Some(tls)) => {
                let name = tls.name.as_deref().or(url.host()).unwrap_or_default();
                let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name =
                    ServerName::try_from(name).context("the name to be in the certificate")?;
                let connector = TlsConnector::from(tls.config.present());
                let tls = timeout(HANDSHAKE_TIMEOUT, connector.connect(name, tcp)).await;
                let tls = tls.context("the handshake takes too long")?.context("the handshake")?;
                ensure!(tls.get_ref().1.alpn_protocol() == Some(b"h2"), "it does not speak HTTP/2");
                speak(tls).await?
            }
            (Some("https"), None) => bail!("--runtime-tls-ca is required for https"),
            (_, _) => speak(tcp).await?,
        };
        let connection = Self { url: url.clone(), sender };
        let greeting = timeout(GREETING_TIMEOUT, connection.send(greeting()?)).await;
        let greeted = greeting.context("nobody answers on the connection")?;
        greeted.map_err(TrySendError::into_error).context("the connection ends at once")?;
        Ok((connection, ended))
    }

    /// Sends a request, wherever it says that it goes. The error has the request, if nothing of it was sent.
    pub(super) async fn send(
        &self,
        mut request: http::Request<Body>,
    ) -> Result<http::Response<Incoming>, TrySendError<http::Request<Body>>> {
        let path = request.uri().path_and_query().cloned();
        let mut uri = self.url.clone().into_parts();
        uri.path_and_query = path.or(Some(PathAndQuery::from_static("/")));
        // The parts are those of a URL, each as it was.
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        self.sender.clone().try_send_request(request).await
    }
}

/// A question that any server of gRPC answers, if only with an error.
fn greeting() -> Result<http::Request<Body>> {
    // One message without a field: five bytes that say so.
    let body = Body::new(Full::new(Bytes::from_static(&[0; 5])));
    let request = http::Request::post("/grpc.health.v1.Health/Check")
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers");
    Ok(request.body(body)?)
}

/// Begins HTTP/2. The task drives the connection, which ends when nobody has the sender any more.
async fn speak<I>(io: I) -> Result<(SendRequest<Body>, JoinHandle<()>)>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await?;
    let ended = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to runtime-service has ended");
        }
    });
    Ok((sender, ended))
}
