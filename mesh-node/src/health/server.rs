//! The listener that health is asked at: one short answer a connection, few at once.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::Health;
use crate::limits;
use crate::shared::Shared;

/// A listener that answers until it is dropped.
pub(crate) struct HealthServer {
    address: SocketAddr,
    _accept: AbortOnDropHandle<()>,
}

impl HealthServer {
    /// Begins to answer at `address`.
    ///
    /// # Errors
    /// When it can't be listened at.
    pub async fn start(shared: Arc<Shared>, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "health is told");
        let accept = AbortOnDropHandle::new(tokio::spawn(accept(shared, listener)));
        Ok(Self { address, _accept: accept })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    // It owns the connections: they end with it.
    let mut connections = JoinSet::new();
    loop {
        let room = connections.len() < limits::HEALTH_CONNECTIONS_MAX;
        tokio::select! {
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(answer(shared.clone(), stream));
                }
                // No file is left for it; connections that end give theirs back.
                Err(error) => {
                    tracing::debug!(%error, "nobody can ask for health now");
                    let pause = Duration::from_millis(limits::HEALTH_ACCEPT_PAUSE_MS);
                    tokio::time::sleep(pause).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(shared: Arc<Shared>, stream: TcpStream) {
    let bound = Duration::from_millis(limits::HEALTH_TIMEOUT_MS);
    let service = service_fn(|request| {
        let response = respond(&shared, &request);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bound)
        .max_buf_size(limits::HEALTH_REQUEST_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who asks and goes away, or sends something else, has no answer to miss.
    let _ = tokio::time::timeout(bound, connection).await;
}

fn respond(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let health = Health::of(shared);
    let status = match request.uri().path() {
        "/healthz" => StatusCode::OK,
        "/readyz" if health.ready => StatusCode::OK,
        "/readyz" => StatusCode::SERVICE_UNAVAILABLE,
        _ => return plain(StatusCode::NOT_FOUND),
    };
    let Ok(body) = serde_json::to_vec(&health) else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = plain(status);
    *response.body_mut() = Full::new(body.into());
    let headers = response.headers_mut();
    let value = hyper::header::HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, value("application/json"));
    headers.insert(CACHE_CONTROL, value("no-store"));
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
