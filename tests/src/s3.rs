//! A fake that speaks as much of S3's real wire protocol as web-service needs, over a real socket. It is not S3, and says so in its
//! `Server` header: what it shows is that requests are formed and signed as S3 wants them, not that Amazon would take them.
//!
//! It holds objects in memory, refuses every request whose signature (AWS Signature Version 4) or payload hash is not right, and does
//! PUT, copy, GET with a range, HEAD, DELETE, uploads in parts, and lists. Like S3 it refuses parts, but for the last, of less than
//! 5 MiB, and completes an upload only with the parts and tags that it has given out.

mod objects;
mod signature;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use objects::Objects;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{net::TcpListener, task::AbortHandle};

/// What it calls itself.
pub const SERVER: &str = "freehold-test-s3 (stands for S3, is none)";
pub const BUCKET: &str = "bytes-of-tests";
pub const REGION: &str = "eu-test-1";
pub const ACCESS_KEY_ID: &str = "AKTESTSANDNOTHINGELSE";
pub const SECRET_ACCESS_KEY: &str = "the/secret+key-of-tests-and-of-nothing-else";

/// A request that was taken or refused.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub status: u16,
}

#[derive(Debug, Default)]
struct Shared {
    objects: Mutex<Objects>,
    asked: Mutex<Vec<Asked>>,
    /// Requests are answered 503 while this is true.
    down: Mutex<bool>,
}

/// A running fake. It stops when this is dropped.
#[derive(Debug)]
pub struct FakeS3 {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl FakeS3 {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::<Shared>::default();
        let of_connections = shared.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = of_connections.clone();
                connections.spawn(async move {
                    let service = service_fn(move |it| answer(shared.clone(), it));
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, shared, task: task.abort_handle() }
    }

    /// The settings of web-service that make it keep files here.
    pub fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("FILES_S3_BUCKET", BUCKET.to_owned()),
            ("FILES_S3_ENDPOINT", format!("http://{}", self.address)),
            ("FILES_S3_REGION", REGION.to_owned()),
            ("FILES_S3_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("FILES_S3_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ]
    }

    /// Names of the objects that there are.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.shared.objects).keys()
    }

    /// Uploads in parts that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        lock(&self.shared.objects).open_uploads()
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// Whether every request is answered 503 from now on.
    pub fn set_down(&self, down: bool) {
        *lock(&self.shared.down) = down;
    }

    /// Changes a byte of an object.
    pub fn damage(&self, key: &str) {
        lock(&self.shared.objects).damage(key);
    }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    // A client that goes away in the middle of a body has not asked for anything.
    let Ok(body) = body.collect().await else {
        return Ok(error(StatusCode::BAD_REQUEST, "IncompleteBody"));
    };
    let body = body.to_bytes();
    let mut response = if *lock(&shared.down) {
        error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")
    } else {
        match signature::check(&head, &body) {
            Ok(()) => lock(&shared.objects).answer(&head, body),
            Err(code) => error(StatusCode::FORBIDDEN, code),
        }
    };
    response.headers_mut().insert("server", http::HeaderValue::from_static(SERVER));
    let (method, status) = (head.method.to_string(), response.status().as_u16());
    lock(&shared.asked).push(Asked { method, target, status });
    Ok(response)
}

/// An error as S3 words it.
fn error(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let xml =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
    reply(status, &[("content-type", "application/xml")], xml)
}

fn reply(
    status: StatusCode,
    headers: &[(&'static str, &str)],
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).expect("the fake's own headers are headers")
}
