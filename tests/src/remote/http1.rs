//! As much of HTTP/1.1 as a client of the executors needs: requests with a Content-Length, connections that are kept.

use super::{SERVER, Shared, behaviour};
use std::{collections::BTreeMap, io, sync::Arc, time::Instant};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

const BODY_BYTES_MAX: usize = 32 << 20;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub at: Instant,
    /// The status that went back, and when.
    pub answered: Option<(u16, Instant)>,
    /// When the client closed the connection before it was answered.
    pub cut: Option<Instant>,
}

impl Seen {
    pub fn idempotency_key(&self) -> Option<&str> {
        self.headers.get("idempotency-key").map(String::as_str)
    }

    /// The value of a parameter of the query, percent-decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|it| it.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| percent_decode(value))
    }

    /// The body as JSON, or as a string if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into_owned().into())
    }
}

/// What goes back.
pub(super) enum Answer {
    Response {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// A reset connection.
    Reset,
}

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let number = shared.note(request.clone());
        let answer = tokio::select! {
            // On a busy machine both may have come to pass by the time that anybody looks: whoever has gone away is answered nothing.
            biased;
            () = gone(&mut stream) => {
                shared.amend(number, |it| it.cut = Some(Instant::now()));
                return Ok(());
            }
            answer = behaviour::answer(&request, &shared) => answer,
        };
        match answer {
            Answer::Response { status, headers, body } => {
                let body = if request.method == "HEAD" { &[] } else { body.as_slice() };
                // Before it goes out: whoever has the answer may ask for the log at once.
                shared.amend(number, |it| it.answered = Some((status, Instant::now())));
                write(stream.get_mut(), status, &headers, body).await?;
            }
            Answer::Reset => return stream.get_mut().set_zero_linger(),
        }
    }
    Ok(())
}

/// Waits until the client has closed the connection; for ever, when it sends another request instead.
async fn gone(stream: &mut BufReader<TcpStream>) {
    if stream.fill_buf().await.is_ok_and(|it| !it.is_empty()) {
        std::future::pending::<()>().await;
    }
}

/// `None` when the client has closed the connection.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Seen>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::Error::other("not a request line"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Seen {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: BTreeMap::new(),
        body: Vec::new(),
        at: Instant::now(),
        answered: None,
        cut: None,
    };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = request.headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    if BODY_BYTES_MAX < length {
        return Err(io::Error::other("the body is too large"));
    }
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

async fn write(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut head =
        format!("HTTP/1.1 {status} -\r\nserver: {SERVER}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%');
        let value = escaped
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
