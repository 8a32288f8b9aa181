//! The native HTTP servers that actors are measured beside.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use lattice_client::{ConnectOptions, Lattice};
use lattice_protocol::contract::{Message, keyvalue};
use mesh_provider::{Answers, Config, ProviderCall};
use tokio::net::TcpListener;

use super::alone;

/// What those that say hello say.
pub(super) const HELLO: &[u8] = b"hello";

/// The least that a server can do: every request is answered with a word, until the process ends.
pub async fn raw_http(address: SocketAddr) -> anyhow::Result<()> {
    let hello = || Response::new(Full::new(Bytes::from_static(HELLO)));
    serve(address, move |_| std::future::ready(hello())).await
}

/// What the actor `counter` does, natively: counts each path in the same store, in memory, and
/// says how often it was asked for.
pub async fn raw_counter(address: SocketAddr, url: &str) -> anyhow::Result<()> {
    let lattice = Lattice::connect(ConnectOptions::url(url)).await?;
    let (about, config) = (mesh_keyvalue_embedded::ABOUT, Config::of([("database", ":memory:")]));
    let store = alone::open(&lattice, &about, mesh_keyvalue_embedded::provider, config).await?;
    serve(address, move |request: Request<Incoming>| {
        let store = store.clone();
        async move {
            let mut response = Response::new(Full::default());
            match count(store.as_ref(), request.uri().path()).await {
                Ok(body) => *response.body_mut() = Full::new(body),
                Err(_) => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
            }
            response
        }
    })
    .await
}

async fn serve<F, A>(address: SocketAddr, answer: F) -> anyhow::Result<()>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        // It ends with its connection; the process with the bench.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn count(store: &dyn Answers, path: &str) -> anyhow::Result<Bytes> {
    let request = keyvalue::Increment { key: format!("count:{path}"), delta: 1 }.encode()?;
    let (operation, info) = (keyvalue::operation::INCREMENT, alone::info());
    let answer = store.answer(ProviderCall { operation, payload: &request, info }).await;
    let answer = answer.map_err(|error| anyhow::anyhow!("{error}"))?;
    let count = keyvalue::Number::decode(&answer)?.value;
    Ok(serde_json::to_vec(&serde_json::json!({ "path": path, "count": count }))?.into())
}
