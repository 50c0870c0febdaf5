//! A way to runtime-service that a test can close, as a network would.

use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// Listens on an address of its own and leads to where it was told to, or to nowhere.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    to: Arc<watch::Sender<Option<SocketAddr>>>,
    task: AbortHandle,
}

impl Relay {
    /// Leads nowhere yet: connections are taken and closed.
    pub(super) async fn closed() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let to = Arc::new(watch::Sender::new(None));
        let watched = to.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut to = watched.subscribe();
                let target = *to.borrow_and_update();
                connections.spawn(async move {
                    let Some(target) = target else { return };
                    tokio::select! {
                        () = pass(stream, target) => {}
                        _ = to.changed() => {}
                    }
                });
            }
        });
        Self { address, to, task: task.abort_handle() }
    }

    /// Leads there from now on.
    pub(super) fn open(&self, to: SocketAddr) {
        self.to.send_replace(Some(to));
    }

    /// Leads nowhere from now on, and cuts what is under way.
    pub(super) fn close(&self) {
        self.to.send_replace(None);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut from: TcpStream, to: SocketAddr) {
    if let Ok(mut to) = TcpStream::connect(to).await {
        drop(tokio::io::copy_bidirectional(&mut from, &mut to).await);
    }
}
