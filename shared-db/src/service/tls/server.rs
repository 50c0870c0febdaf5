//! The server's side: who may connect, and handshakes that nobody else waits for.

use super::{
    files::{File, Files, Papers},
    reload::Reloading,
};
use crate::service::config::TlsConfig;
use anyhow::{Context, Result};
use futures_util::{Stream, stream};
use rustls::{
    ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::StreamExt;
use tonic::transport::server::TcpIncoming;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes under way at once. One more, and the oldest has to go: an honest one takes milliseconds.
const HANDSHAKES_MAX: usize = 128;

/// `None` means plaintext.
pub(crate) fn server(config: &TlsConfig) -> Result<Option<Arc<Reloading<ServerConfig>>>> {
    let (Some(certificate), Some(key)) = (&config.tls_cert, &config.tls_key) else {
        return Ok(None);
    };
    let files = Files {
        identity: Some((File::new("tls-cert", certificate), File::new("tls-key", key))),
        authorities: config.tls_client_ca.as_ref().map(|it| File::new("tls-client-ca", it)),
    };
    let optional = config.tls_client_optional;
    let loaded = Reloading::load("server", files, move |papers| build(papers, optional))?;
    Ok(Some(Arc::new(loaded)))
}

fn build(papers: Papers, optional: bool) -> Result<ServerConfig> {
    let builder = ServerConfig::builder();
    let builder = match papers.authorities {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder(roots);
            let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().context("the authorities")?)
        }
    };
    let key = papers.key.context("there is no key")?;
    let mut config =
        builder.with_single_cert(papers.chain, key).context("the certificate and its key")?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // Nothing is resumed: each connection shows its certificate, to the authorities of the day.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Connections that have finished their handshake, each under what `tls` said when it began.
pub(crate) fn handshaken(
    tcp: TcpIncoming,
    tls: Arc<Reloading<ServerConfig>>,
) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>> {
    let door = Door { tcp, tls, handshakes: JoinSet::new(), order: VecDeque::new() };
    stream::unfold(door, async |mut door| door.next().await.map(|it| (it, door)))
}

struct Door {
    tcp: TcpIncoming,
    tls: Arc<Reloading<ServerConfig>>,
    /// `None`: it came to nothing.
    handshakes: JoinSet<Option<TlsStream<TcpStream>>>,
    /// The same, oldest first.
    order: VecDeque<AbortHandle>,
}

impl Door {
    async fn next(&mut self) -> Option<io::Result<TlsStream<TcpStream>>> {
        loop {
            tokio::select! {
                accepted = self.tcp.next() => match accepted {
                    Some(Ok(stream)) => self.begin(stream),
                    Some(Err(error)) => return Some(Err(error)),
                    None => return None,
                },
                Some(ended) = self.handshakes.join_next() => {
                    if let Ok(Some(stream)) = ended {
                        return Some(Ok(stream));
                    }
                }
            }
        }
    }

    fn begin(&mut self, stream: TcpStream) {
        self.order.retain(|it| !it.is_finished());
        if self.order.len() == HANDSHAKES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let accepting = TlsAcceptor::from(self.tls.present()).accept(stream);
        let handshake = self.handshakes.spawn(async move {
            let ended = tokio::time::timeout(HANDSHAKE_TIMEOUT, accepting).await;
            let ended = ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            ended.inspect_err(|error| tracing::debug!(%error, "a handshake failed")).ok()
        });
        self.order.push_back(handshake);
    }
}
