//! One connection: its protocol, its requests, and what ends it.

mod activity;
mod io;
mod outgoing;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

pub use activity::Moment;
use activity::{Activity, Late};
use io::Noted;
pub use outgoing::Outgoing;
pub use stream::Streams;

use crate::exchange;
use crate::limits;
use crate::server::Shared;

/// Tells the time since the server was started.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns what time it is; never 0.
    pub fn now(self) -> Moment {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(Moment::MAX).saturating_add(1)
    }
}

/// A connection, as its requests know it.
pub struct Peer {
    /// The server.
    pub shared: Arc<Shared>,
    /// What goes on at it.
    pub activity: Activity,
    /// Address and port of the other side.
    pub remote: String,
    /// How it reached the server.
    pub scheme: &'static str,
}

impl Peer {
    /// Returns what time it is.
    pub fn now(&self) -> Moment {
        self.shared.clock.now()
    }
}

/// A request that is not answered to its end.
pub struct Entered(Arc<Peer>);

impl Entered {
    /// Begins a request.
    pub fn begin(peer: Arc<Peer>, http2: bool) -> Self {
        peer.activity.begin(http2);
        Self(peer)
    }

    /// Returns its connection.
    pub fn peer(&self) -> &Peer {
        &self.0
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.activity.end(self.0.now());
    }
}

/// Returns what speaks the protocols.
pub fn protocols(streams: Streams) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(streams);
    // Both versions are watched here, as one: a connection that is slow or idle costs no timer.
    builder.http1().header_read_timeout(None).max_buf_size(limits::HEAD_BYTES_MAX);
    builder
        .http2()
        .max_concurrent_streams(limits::STREAMS_MAX)
        .max_header_list_size(limits::HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(limits::STREAM_RESETS_PENDING_MAX)
        .max_local_error_reset_streams(limits::STREAM_RESETS_LOCAL_MAX)
        .max_send_buf_size(limits::SEND_SLICE_BYTES);
    builder
}

/// Serves a connection to its end.
pub async fn serve(
    shared: Arc<Shared>,
    tcp: TcpStream,
    remote: SocketAddr,
    tls: Option<TlsAcceptor>,
) {
    // An answer is written as a whole: to wait for more of it would only delay it.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%remote, %error, "a connection was gone before it was served");
        return;
    }
    match tls {
        None => run(shared, tcp, remote, "http").await,
        // Boxed, so that a connection without TLS has no room for it.
        Some(tls) => Box::pin(serve_tls(shared, tcp, remote, tls)).await,
    }
}

async fn serve_tls(shared: Arc<Shared>, tcp: TcpStream, remote: SocketAddr, tls: TlsAcceptor) {
    let bound = Duration::from_millis(limits::TLS_HANDSHAKE_TIMEOUT_MS);
    let stop = shared.stop.child_token();
    let handshake = tokio::time::timeout(bound, tls.accept(tcp));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => run(shared, stream, remote, "https").await,
        Some(Ok(Err(error))) => tracing::debug!(%remote, %error, "a TLS handshake failed"),
        Some(Err(_)) => tracing::debug!(%remote, "a TLS handshake took too long"),
        None => {}
    }
}

async fn run<T>(shared: Arc<Shared>, io: T, remote: SocketAddr, scheme: &'static str)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(shared.clock.now());
    let peer = Arc::new(Peer { shared, activity, remote: remote.to_string(), scheme });
    let served = peer.clone();
    let service = service_fn(move |request| {
        // Boxed, so that a connection without a request has no room for one.
        let answer = Box::pin(exchange::answer(served.clone(), request));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TokioIo::new(Noted::new(io, peer.clone()));
    let mut connection = pin!(peer.shared.protocols.serve_connection(io, service));
    let interval = Duration::from_millis(limits::WATCH_INTERVAL_MS);
    let mut watch = pin!(tokio::time::sleep(interval));
    // Tokens of its own: those of the server are shared, and so are their locks.
    let (stop, abort) = (peer.shared.stop.child_token(), peer.shared.abort.child_token());
    let (mut stopping, mut told) = (false, false);
    loop {
        tokio::select! {
            biased;
            outcome = connection.as_mut() => {
                if let Err(error) = outcome {
                    tracing::debug!(remote = peer.remote, error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = abort.cancelled(), if stopping => {
                peer.shared.abandoned.fetch_add(peer.activity.unfinished(), Relaxed);
                return;
            }
            () = watch.as_mut() => {
                watch.as_mut().reset(tokio::time::Instant::now() + interval);
                match peer.activity.late(peer.now(), &peer.shared.limits) {
                    None => {}
                    Some(Late::Idle) if !told => {
                        told = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    Some(late) => {
                        tracing::debug!(remote = peer.remote, ?late, "a connection is ended");
                        return;
                    }
                }
            }
        }
    }
}
