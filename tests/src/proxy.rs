//! A wire between a service and its database that a test can cut, delay, starve or make deaf.

mod frames;
mod pump;

use crate::database::TestDatabase;
use pump::pump;
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::AbortHandle,
};

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Whole,
    /// Connections end, and new ones end at once.
    Cut,
    /// The same, but by a reset.
    Reset,
    /// Half open: nothing gets through, and nobody is told.
    Silent,
    /// Everything comes this much later.
    Late(Duration),
    /// A few bytes at a time.
    Trickle,
    /// Notifications are lost, everything else gets through.
    Deaf,
}

impl Wire {
    /// Whether connections live through it.
    fn carries(self) -> bool {
        matches!(self, Self::Whole | Self::Late(_) | Self::Trickle | Self::Deaf)
    }
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
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        Self::on(listener, database)
    }

    /// The same behind a listener that may be on another host.
    pub(crate) fn on(listener: TcpListener, database: &TestDatabase) -> Self {
        let target: PgConnectOptions = database.web_url().parse().expect("the harness made it");
        let address = listener.local_addr().expect("it is bound");
        let wire = watch::Sender::new(Wire::Whole);
        let state = wire.subscribe();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(pass(stream, target.clone(), state.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, wire, task: task.abort_handle() }
    }

    /// A URL of the database, by way of the proxy, which reads along and so can have no TLS.
    pub fn url(&self, url: &str) -> String {
        Self::url_at(url, self.address)
    }

    /// The same, where it is reached by another address.
    pub fn url_at(url: &str, address: SocketAddr) -> String {
        let options: PgConnectOptions = url.parse().expect("the harness made it");
        let options = options.host(&address.ip().to_string()).port(address.port());
        options.ssl_mode(PgSslMode::Disable).to_url_lossy().to_string()
    }

    pub fn cut(&self) {
        self.set(Wire::Cut);
    }

    pub fn silence(&self) {
        self.set(Wire::Silent);
    }

    pub fn mend(&self) {
        self.set(Wire::Whole);
    }

    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
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
        Wire::Reset => return reset(&client),
        Wire::Silent => {
            // Until somebody mends or cuts the wire: then the connection is of no use any more.
            drop(wire.changed().await);
            return;
        }
        Wire::Whole | Wire::Late(_) | Wire::Trickle | Wire::Deaf => {}
    }
    // Small messages go back and forth: none may wait for another to fill a packet.
    drop(client.set_nodelay(true));
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
            drop(server.set_nodelay(true));
            copy(client, server, wire).await;
        }
    }
}

async fn copy<S>(mut client: TcpStream, server: S, mut wire: watch::Receiver<Wire>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (server_read, server_write) = tokio::io::split(server);
    let (client_read, client_write) = client.split();
    let broken = {
        let there = pump(client_read, server_write, wire.clone(), None);
        let back = pump(server_read, client_write, wire.clone(), Some(frames::Frames::default()));
        let mut wire = wire.clone();
        tokio::select! {
            _ = there => return,
            _ = back => return,
            broken = wire.wait_for(|it| !it.carries()) => broken.map_or(Wire::Cut, |it| *it),
        }
    };
    match broken {
        Wire::Reset => reset(&client),
        // Both ends stay open, and neither hears anything.
        Wire::Silent => drop(wire.wait_for(|it| *it != Wire::Silent).await),
        Wire::Cut | Wire::Whole | Wire::Late(_) | Wire::Trickle | Wire::Deaf => {}
    }
}

fn reset(client: &TcpStream) {
    drop(client.set_zero_linger());
}
