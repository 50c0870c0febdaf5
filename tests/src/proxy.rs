//! A wire between a service and its database that a test can cut.

use crate::database::TestDatabase;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use std::{net::SocketAddr, path::PathBuf};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::AbortHandle,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Connections end, and new ones end at once.
    Cut,
    /// Nothing gets through, and nobody is told.
    Silent,
}

/// Passes bytes on to the database for as long as it is allowed to.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    task: AbortHandle,
}

impl Proxy {
    pub async fn before(database: &TestDatabase) -> Self {
        let target: PgConnectOptions = database.web_url().parse().expect("the harness made it");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let wire = watch::Sender::new(Wire::Whole);
        let state = wire.subscribe();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(pass(stream, target.clone(), state.clone()));
            }
        });
        Self { address, wire, task: task.abort_handle() }
    }

    /// A URL of the database, by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        let options: PgConnectOptions = url.parse().expect("the harness made it");
        let options = options.host(&self.address.ip().to_string()).port(self.address.port());
        options.to_url_lossy().to_string()
    }

    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    pub fn silence(&self) {
        self.wire.send_replace(Wire::Silent);
    }

    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, target: PgConnectOptions, mut wire: watch::Receiver<Wire>) {
    let state = *wire.borrow_and_update();
    match state {
        Wire::Cut => return,
        Wire::Silent => {
            // Until somebody mends or cuts the wire: then the connection is of no use any more.
            drop(wire.changed().await);
            return;
        }
        Wire::Whole => {}
    }
    let socket = target.get_socket().cloned();
    let socket =
        socket.or_else(|| target.get_host().starts_with('/').then(|| target.get_host().into()));
    if let Some(folder) = socket {
        let path: PathBuf = folder.join(format!(".s.PGSQL.{}", target.get_port()));
        if let Ok(server) = UnixStream::connect(path).await {
            copy(client, server, wire).await;
        }
    } else {
        let address = (target.get_host().to_owned(), target.get_port());
        if let Ok(server) = TcpStream::connect(address).await {
            copy(client, server, wire).await;
        }
    }
}

async fn copy<S>(mut client: TcpStream, mut server: S, mut wire: watch::Receiver<Wire>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let state = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => return,
        _ = wire.changed() => *wire.borrow_and_update(),
    };
    if state == Wire::Silent {
        // Both ends stay open, and neither hears anything.
        drop(wire.changed().await);
    }
}
