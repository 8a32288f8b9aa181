//! A receiver of OTLP over HTTP: takes what nodes export, and counts it.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What was exported.
#[derive(Default)]
pub(super) struct Exported {
    /// Requests with traces.
    pub(super) traces: AtomicU64,
    /// Requests with metrics.
    pub(super) metrics: AtomicU64,
    /// Bytes of all of them.
    pub(super) bytes: AtomicU64,
}

/// A receiver, until it is dropped.
pub(super) struct Receiver {
    /// Where nodes send it.
    pub(super) url: String,
    /// What they sent.
    pub(super) exported: Arc<Exported>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Starts it.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let exported: Arc<Exported> = Arc::default();
        let (mut tasks, kept) = (JoinSet::new(), exported.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                let service = service_fn(move |request| take(request, kept.clone()));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(async { drop(connection.await) });
            }
        });
        Ok(Self { url, exported, _tasks: tasks })
    }
}

async fn take(
    request: Request<Incoming>,
    exported: Arc<Exported>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let kind = match request.uri().path() {
        "/v1/traces" => &exported.traces,
        _ => &exported.metrics,
    };
    kind.fetch_add(1, Ordering::Relaxed);
    let body = request.into_body().collect().await;
    let bytes = body.map_or(0, |body| body.to_bytes().len() as u64);
    exported.bytes.fetch_add(bytes, Ordering::Relaxed);
    // An empty message of protobuf: everything was taken.
    let mut response = Response::new(Full::default());
    let kind = header::HeaderValue::from_static("application/x-protobuf");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
