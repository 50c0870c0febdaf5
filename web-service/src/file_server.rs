//! Downloads of files over plain HTTP, for whoever has a signed URL: browsers, mail clients, other services.
//!
//! It is public, so it has limits of its own: on connections, on how long a request may take to come, and on how long a connection
//! lasts. Nothing of a URL's query is logged, for whoever has that has the file.

mod headers;
mod range;

use crate::app::{
    App,
    files::{self, Download, urls::Refusal},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use range::Part;
use shared_db::{
    error::{Error, chain},
    scope::Scope,
    service::deadline,
};
use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// Connections at once; who comes beyond waits to be accepted.
const CONNECTIONS_MAX: usize = 512;
/// How long the head of a request may take to come, and how long a connection is kept idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a file is looked for.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// No connection lasts longer, whatever goes on in it.
const CONNECTION_AGE_MAX: Duration = Duration::from_hours(1);
const HEAD_BYTES_MAX: usize = 16 * 1024;

type Body = UnsyncBoxBody<Bytes, Error>;

/// The listener for downloads by URL.
#[derive(Clone, Debug)]
pub struct FileServer {
    listener: Arc<TcpListener>,
}

impl FileServer {
    /// Binds the address, if there is one.
    pub async fn bind(address: Option<SocketAddr>) -> Result<Option<Self>> {
        let Some(address) = address else { return Ok(None) };
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Some(Self { listener: Arc::new(listener) }))
    }

    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop`, and then to the end of what is under way.
    pub async fn run(self, app: App, stop: CancellationToken) -> Result<()> {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let place = places.clone().acquire_owned().await?;
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (app, stop) = (app.clone(), stop.clone());
                    connections.spawn(async move {
                        connection(app, stream, stop).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection for files was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        while connections.join_next().await.is_some() {}
        Ok(())
    }
}

async fn connection(app: App, stream: TcpStream, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(respond(&app, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::time::timeout(CONNECTION_AGE_MAX, async {
        tokio::select! {
            ended = &mut serving => return ended,
            () = stop.cancelled() => serving.as_mut().graceful_shutdown(),
        }
        serving.await
    });
    match ended.await {
        Ok(Ok(())) => {}
        // A browser that goes away is nothing to tell of, and neither is what a scanner sends.
        Ok(Err(error)) => tracing::debug!(error = %chain(&error), "a connection for files ended"),
        Err(_) => tracing::info!("a connection for files was closed, as it was old"),
    }
}

async fn respond<B>(app: &App, request: Request<B>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let head_only = parts.method == Method::HEAD;
    let mut response = if head_only || parts.method == Method::GET {
        answer(app, &parts).await.unwrap_or_else(refuse)
    } else {
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED);
        headers::set(&mut response, header::ALLOW, "GET, HEAD");
        response
    };
    headers::protect(&mut response);
    if head_only {
        // The length of what a GET would bring stays in the head.
        *response.body_mut() = empty();
    }
    tracing::debug!(status = response.status().as_u16(), path = parts.uri.path(), "file request");
    response
}

async fn answer(app: &App, asked: &Parts) -> Result<Response<Body>, StatusCode> {
    let (path, query) = (asked.uri.path(), asked.uri.query().unwrap_or_default());
    let urls = app.files.urls.as_ref().ok_or(StatusCode::NOT_FOUND)?;
    let grant = urls.verify(path, query, app.clock.now()).map_err(|refusal| match refusal {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Forged | Refusal::Expired => StatusCode::FORBIDDEN,
    })?;
    let mut part = Part::Whole;
    let choose = |size: u64| {
        part = Part::asked(&asked.headers, size);
        // A HEAD brings no bytes, so none are asked for.
        if asked.method == Method::HEAD { 0..0 } else { part.range(size) }
    };
    let scope = Scope::Tenant(grant.org, None);
    let opened = files::download(app, scope, (grant.org, grant.id), choose);
    let until = Instant::now() + LOOK_TIMEOUT;
    let opened = deadline::with(Some(until), opened).await.map_err(failed)?;
    Ok(response(opened, &part))
}

fn response(Download { file, bytes }: Download, part: &Part) -> Response<Body> {
    let size = u64::try_from(file.size_bytes).unwrap_or_default();
    let range = part.range(size);
    let mut response = match part {
        Part::Whole => Response::new(streamed(bytes)),
        Part::Range(_) => {
            let mut response = Response::new(streamed(bytes));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers::set(&mut response, header::CONTENT_RANGE, &range);
            response
        }
        Part::Impossible => {
            let mut response = refuse(StatusCode::RANGE_NOT_SATISFIABLE);
            headers::set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
    };
    let length = (range.end - range.start).to_string();
    headers::set(&mut response, header::CONTENT_LENGTH, &length);
    headers::set(&mut response, header::CONTENT_TYPE, &file.media_type);
    headers::set(&mut response, header::ACCEPT_RANGES, "bytes");
    headers::set(&mut response, header::ETAG, &format!("\"{}\"", file.sha256));
    let disposition = headers::attachment(&file.name);
    headers::set(&mut response, header::CONTENT_DISPOSITION, &disposition);
    response
}

/// What an error of ours is over HTTP. Its words are for callers of the API, and whoever has a URL may be anybody.
fn failed(error: Error) -> StatusCode {
    // As a status it is logged where it has to be.
    let code = tonic::Status::from(error).code();
    let known = [
        (Code::NotFound, StatusCode::NOT_FOUND),
        (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT),
    ];
    let known = known.iter().find(|(it, _)| *it == code);
    known.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status)| *status)
}

fn refuse(status: StatusCode) -> Response<Body> {
    let text = format!("{}\n", status.canonical_reason().unwrap_or("error").to_lowercase());
    let mut response =
        Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    headers::set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn streamed(bytes: BoxStream<'static, Result<Bytes, Error>>) -> Body {
    // An error cuts the connection before the length that was promised.
    let frames = bytes.map_ok(Frame::data).inspect_err(|error| {
        tracing::warn!(%error, "a download by URL was cut off");
    });
    BodyExt::boxed_unsync(StreamBody::new(frames.boxed()))
}

fn empty() -> Body {
    Full::default().map_err(|never: Infallible| match never {}).boxed_unsync()
}
