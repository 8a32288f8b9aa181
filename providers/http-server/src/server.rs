//! The provider: a listener, and the links that it serves.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::server::conn::auto;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{About, Actors, Answers, BoxFuture, Context, Link, Provider, ProviderCall};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ABOUT;
use crate::accept::accept;
use crate::connection::{self, Clock, Streams};
use crate::limits;
use crate::memory::Memory;
use crate::options::{Limits, Options};
use crate::routes::{Route, Routes};
use crate::tls;

/// What the parts of a server share.
pub struct Shared {
    pub routes: Arc<Routes>,
    pub actors: Arc<dyn Actors>,
    pub limits: Limits,
    pub memory: Memory,
    pub clock: Clock,
    pub protocols: auto::Builder<Streams>,
    /// Requests that actors work on.
    pub requests: AtomicU32,
    /// Owns the tasks of listener, connections and streams.
    pub tasks: TaskTracker,
    /// Ends what waits, and lets the rest finish.
    pub stop: CancellationToken,
    /// Ends all.
    pub abort: CancellationToken,
    /// What was cut off by that.
    pub abandoned: AtomicUsize,
    /// Why no connection is accepted.
    pub trouble: Mutex<Option<String>>,
}

/// An HTTP server for the actors that are linked to it.
pub struct HttpServer {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
}

impl HttpServer {
    /// Begins to listen. Until a link is opened each request is answered 404.
    ///
    /// # Errors
    /// `bad_request` when the options make no sense or a file can't be used; `internal` when the
    /// address can't be listened at.
    pub async fn start(context: &Context, options: Options) -> Result<Arc<Self>, Error> {
        let Options { addr, tls, limits } = options;
        limits.check().map_err(|why| {
            let message = format!("the limits of the HTTP server: {why}");
            Error::not_started(ErrorCode::BadRequest, message)
        })?;
        let tls = tls.as_ref().map(tls::acceptor).transpose()?;
        let listen = |error: std::io::Error| {
            let message = format!("HTTP can't be served at {addr}: {error}");
            Error::not_started(ErrorCode::Internal, message)
        };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        let (clock, tasks) = (Clock::start(), TaskTracker::new());
        let streams = Streams { tasks: tasks.clone(), clock, stall: limits.write_stall };
        let shared = Arc::new(Shared {
            routes: Arc::default(),
            actors: context.actors.clone(),
            memory: Memory::new(limits.bodies_held_bytes_max, limits.memory_wait),
            limits,
            clock,
            protocols: connection::protocols(streams),
            requests: AtomicU32::new(0),
            tasks,
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            abandoned: AtomicUsize::new(0),
            trouble: Mutex::new(None),
        });
        shared.tasks.spawn(accept(shared.clone(), listener, tls));
        tracing::info!(%local_addr, "HTTP is served");
        Ok(Arc::new(Self { shared, local_addr }))
    }

    /// Returns where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Provider for HttpServer {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        let opened = Route::read(link, &self.shared.limits)
            .and_then(|route| self.shared.routes.add(route))
            .map(|route| {
                let routes = self.shared.routes.clone();
                Arc::new(Opened { routes, route }) as Arc<dyn Answers>
            });
        Box::pin(std::future::ready(opened))
    }

    fn health(&self) -> BoxFuture<'_, Result<(), Error>> {
        let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(std::future::ready(match trouble {
            None => Ok(()),
            Some(trouble) => Err(Error::not_started(ErrorCode::LimitExceeded, trouble)),
        }))
    }

    fn drain(&self, bound: Duration) -> BoxFuture<'_, usize> {
        // At once, not when it is first waited for: links that are closed from now on are no 404.
        self.shared.stop.cancel();
        self.shared.tasks.close();
        Box::pin(async move {
            if tokio::time::timeout(bound, self.shared.tasks.wait()).await.is_ok() {
                return 0;
            }
            self.shared.abort.cancel();
            let bound = Duration::from_millis(limits::ABORT_TIMEOUT_MS);
            if tokio::time::timeout(bound, self.shared.tasks.wait()).await.is_err() {
                tracing::warn!("connections did not end though they were told to");
            }
            self.shared.abandoned.load(Relaxed)
        })
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.abort.cancel();
    }
}

/// An open link: its route, as long as it is there.
struct Opened {
    routes: Arc<Routes>,
    route: Arc<Route>,
}

impl Answers for Opened {
    fn answer<'a>(&'a self, call: ProviderCall<'a>) -> BoxFuture<'a, Result<Bytes, Error>> {
        let operation: String = call.operation.chars().take(80).collect();
        let contract = ABOUT.contract.name;
        Box::pin(std::future::ready(Err(Error::not_started(
            ErrorCode::BadRequest,
            format!("{contract} has no operation {operation:?} of a provider: it calls its actors"),
        ))))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.routes.remove(&self.route);
        Box::pin(std::future::ready(()))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.routes.remove(&self.route);
    }
}
