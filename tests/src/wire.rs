//! A wire to PostgreSQL that counts what a client says on it: how many statements, in how many round trips.

use anyhow::Result;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use std::{
    net::SocketAddr,
    ops::Sub,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Statements that were executed; several that are sent as one text, such as `begin; set …`, are one.
    pub statements: u64,
    /// How often the server was asked to answer: at most how often the client waited, as it may send several in one flight.
    pub round_trips: u64,
    /// Statements that were sent to be parsed and planned, which a connection does once for each that it keeps.
    pub prepared: u64,
}

impl Sub for Reading {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            statements: self.statements - before.statements,
            round_trips: self.round_trips - before.round_trips,
            prepared: self.prepared - before.prepared,
        }
    }
}

/// Passes everything on and counts. Without TLS, which the tests' servers do not ask for.
#[derive(Debug)]
pub struct Meter {
    address: SocketAddr,
    counted: Arc<Counted>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Counted {
    statements: AtomicU64,
    round_trips: AtomicU64,
    prepared: AtomicU64,
}

impl Meter {
    /// Stands before the server of this URL, which it reaches by TCP.
    pub async fn before(url: &str) -> Result<Self> {
        let target: PgConnectOptions = url.parse()?;
        let target = (target.get_host().to_owned(), target.get_port());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counted = Arc::<Counted>::default();
        let counts = counted.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (target, counts) = (target.clone(), counts.clone());
                connections.spawn(async move {
                    // A connection that breaks is the client's to notice.
                    drop(pass(client, target, &counts).await);
                });
            }
        });
        Ok(Self { address, counted, task: task.abort_handle() })
    }

    /// A URL of the same server, by way of the meter.
    pub fn url(&self, url: &str) -> String {
        let options: PgConnectOptions = url.parse().expect("whoever made the meter had such a URL");
        let options = options.host(&self.address.ip().to_string()).port(self.address.port());
        options.to_url_lossy().to_string()
    }

    pub fn read(&self) -> Reading {
        Reading {
            statements: self.counted.statements.load(Ordering::Relaxed),
            round_trips: self.counted.round_trips.load(Ordering::Relaxed),
            prepared: self.counted.prepared.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, target: (String, u16), counted: &Counted) -> Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        anyhow::Ok(to_client.shutdown().await?)
    };
    let requests = async {
        let (mut said, mut chunk) = (Said::default(), vec![0; 64 * 1024]);
        loop {
            let count = from_client.read(&mut chunk).await?;
            if count == 0 {
                return anyhow::Ok(to_server.shutdown().await?);
            }
            said.hear(&chunk[..count], counted);
            to_server.write_all(&chunk[..count]).await?;
        }
    };
    tokio::try_join!(requests, answers)?;
    Ok(())
}

/// Where in its messages a client is.
#[derive(Debug, Default)]
struct Said {
    /// The head of a message that has not come whole: type and length.
    head: Vec<u8>,
    /// Bytes of the body that are still to come.
    body: usize,
    /// The first message of a connection has no type.
    begun: bool,
}

impl Said {
    fn hear(&mut self, mut bytes: &[u8], counted: &Counted) {
        while !bytes.is_empty() {
            let passed = self.body.min(bytes.len());
            self.body -= passed;
            bytes = &bytes[passed..];
            let Some((first, rest)) = bytes.split_first() else { return };
            self.head.push(*first);
            bytes = rest;
            let size = if self.begun { 5 } else { 4 };
            if self.head.len() == size {
                self.message(counted);
            }
        }
    }

    fn message(&mut self, counted: &Counted) {
        let length = self.head[self.head.len() - 4..]
            .iter()
            .fold(0, |it, byte| it << 8 | usize::from(*byte));
        // The length counts itself. A request for encryption, 8 bytes long, is followed by a first message once more.
        self.body = length - 4;
        if self.begun {
            let (statements, round_trips, prepared) = match self.head[0] {
                b'Q' => (1, 1, 0),
                b'E' => (1, 0, 0),
                b'S' => (0, 1, 0),
                b'P' => (0, 0, 1),
                _ => (0, 0, 0),
            };
            counted.statements.fetch_add(statements, Ordering::Relaxed);
            counted.round_trips.fetch_add(round_trips, Ordering::Relaxed);
            counted.prepared.fetch_add(prepared, Ordering::Relaxed);
        }
        self.begun |= length != 8;
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let first = [&16_u32.to_be_bytes()[..], &[0; 12]].concat();
        let encryption = [&8_u32.to_be_bytes()[..], &[0; 4]].concat();
        let said = [
            encryption,
            first,
            message(b'Q', b"begin\0"),
            message(b'P', b"QQEESS"),
            message(b'B', b""),
            message(b'E', b"12345"),
            message(b'S', b""),
        ]
        .concat();
        for cut in 1..said.len() {
            let (counted, mut hearing) = (Counted::default(), Said::default());
            said.chunks(cut).for_each(|it| hearing.hear(it, &counted));
            assert_eq!(counted.statements.load(Ordering::Relaxed), 2, "cut into {cut}");
            assert_eq!(counted.round_trips.load(Ordering::Relaxed), 2, "cut into {cut}");
            assert_eq!(counted.prepared.load(Ordering::Relaxed), 1, "cut into {cut}");
        }
    }
}
