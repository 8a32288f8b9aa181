//! The node: options, start, run, drain.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lattice_client::control::Controls;
use lattice_client::registry::RegistryError;
use lattice_client::serve::{ServeError, Serving};
use lattice_client::{ConnectError, ConnectOptions, Lattice};
use lattice_protocol::event::EventKind;
use lattice_protocol::keys::{KeyError, NodeKey};
use lattice_protocol::record::Labels;
use mesh_runtime::{Engine, EngineError, EngineOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::compile_pool::CompilePool;
use crate::compute::Compute;
use crate::control::{self, Order};
use crate::health::HealthServer;
use crate::limits;
use crate::loader::Loader;
use crate::modules::Modules;
use crate::presence;
use crate::providers::{self, BuiltInError, ProviderOptions};
use crate::queue::Queues;
use crate::reconcile::Reconciler;
use crate::shared::Shared;
use crate::supervisor::{self, SupervisorOptions, WantedProviders};
use crate::trust::Trust;

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// How to reach NATS, and which lattice to join.
    pub connect: ConnectOptions,
    /// Its labels: actors that want others are not served here.
    pub labels: Labels,
    /// Whose modules it loads.
    pub trust: Trust,
    /// How the engine is sized.
    pub engine: EngineOptions,
    /// Bytes of compiled code that may be in memory; what was not called for longest goes.
    pub module_memory_bytes: u64,
    /// The providers that answer in this process.
    pub providers: ProviderOptions,
    /// The folder whose programs the registry may have this node run as providers.
    pub provider_dir: Option<PathBuf>,
    /// Where the node's health is told over HTTP; none means nowhere.
    pub health: Option<SocketAddr>,
    /// Time that calls in flight have when the node leaves.
    pub drain_bound: Duration,
    /// How long it tries to reach NATS at its start.
    pub connect_bound: Duration,
    /// Whether spans are exported.
    pub traced: bool,
}

impl NodeOptions {
    /// Returns options with defaults for all but the connection.
    pub fn new(connect: ConnectOptions) -> Self {
        Self {
            connect,
            labels: Labels::new(),
            trust: Trust::Anybody,
            engine: EngineOptions::default(),
            module_memory_bytes: module_memory_bytes(),
            providers: ProviderOptions::default(),
            provider_dir: None,
            health: None,
            drain_bound: Duration::from_millis(mesh_program::limits::DRAIN_TIMEOUT_DEFAULT_MS),
            connect_bound: Duration::from_millis(mesh_program::limits::START_CONNECT_TIMEOUT_MS),
            traced: false,
        }
    }
}

/// Returns the memory for compiled modules where nobody says how much.
fn module_memory_bytes() -> u64 {
    let share = mesh_runtime::machine_memory_bytes() / limits::MODULE_MEMORY_DIVISOR;
    share.max(limits::MODULE_MEMORY_BYTES_MIN)
}

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// NATS can't be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The registry can't be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The engine can't be built.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The node's own subjects can't be subscribed to.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// No threads could be had for calls that compute.
    #[error("no threads could be started for calls: {0}")]
    Threads(#[from] std::io::Error),
    /// A provider of the node can't be started.
    #[error(transparent)]
    Provider(#[from] BuiltInError),
    /// The address for health can't be listened at.
    #[error("health can't be told at {address}: {cause}")]
    Health {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// The registry could not be listed.
    #[error(
        "the registry could not be listed within {} ms: is JetStream well?",
        limits::START_SYNC_TIMEOUT_MS
    )]
    NotListed,
    /// The node could not go on.
    #[error("the node no longer follows the registry: the connection to NATS was closed for good")]
    Lost,
    /// No key could be made.
    #[error("no key could be made for the node: {0}")]
    Key(#[from] KeyError),
}

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Calls that still ran when the drain's bound was reached.
    pub abandoned: usize,
}

/// A node that has joined its lattice.
pub struct Node {
    shared: Arc<Shared>,
    control: Controls,
    orders: mpsc::Receiver<Order>,
    drain: oneshot::Sender<()>,
    reconciler: JoinHandle<usize>,
    /// Says that no durable invocation is taken any more.
    queues_stop: CancellationToken,
    /// The subscriptions of the providers in this process.
    serving: Vec<Serving>,
    supervisor: JoinHandle<()>,
    heartbeats: JoinHandle<()>,
    /// Tells until the node has left.
    health: Option<HealthServer>,
    service: Option<async_nats::service::Service>,
    stop: CancellationToken,
    drain_bound: Duration,
}

impl Node {
    /// Joins a lattice; returns when the node has begun to follow the registry.
    ///
    /// # Errors
    /// [`NodeError`] naming what is missing.
    pub async fn start(options: NodeOptions) -> Result<Self, NodeError> {
        let (key, _) = NodeKey::generate()?;
        let engine = Engine::new(options.engine)?;
        let connect = ConnectOptions {
            client_name: options.connect.client_name.or_else(|| Some("mesh-node".to_owned())),
            ..options.connect
        };
        let lattice = mesh_program::connect(connect.clone(), options.connect_bound).await?;
        let registry = lattice.registry().await?;
        if options.trust == Trust::Anybody {
            tracing::warn!("modules of any issuer are loaded: name those to trust with --trust");
        }
        tracing::warn!(
            "calls are as safe as the permissions of this NATS server: the lattice has no key of its own"
        );
        let shared = Arc::new(Shared::new(
            lattice.clone(),
            key.clone(),
            options.labels,
            options.trust,
            options.traced,
            Compute::start()?,
        ));
        let loader = Loader::new(engine, registry.clone(), CompilePool::start()?);
        // The links that the registry tells of must find their providers.
        shared.set_providers(providers::start(&shared, &options.providers).await?);
        let (order, orders) = mpsc::channel(4);
        let (question, questions) = mpsc::channel(limits::ACTOR_QUESTIONS_WAITING_MAX);
        let control = control::start(shared.clone(), loader.clone(), order, question).await?;
        let (synced, mut is_synced) = watch::channel(false);
        let (wanted, wanted_providers) = watch::channel(WantedProviders::default());
        open_queue(&lattice).await;
        let queues_stop = CancellationToken::new();
        let (bad, found_bad) = mpsc::channel(limits::FOUND_BAD_WAITING_MAX);
        let modules = Modules::start(loader, options.module_memory_bytes, bad);
        let queues = Queues::new(shared.clone(), queues_stop.clone());
        let reconciler = Reconciler::new(
            shared.clone(),
            (modules, found_bad),
            queues,
            questions,
            options.drain_bound,
            synced,
            wanted,
        );
        let (drain, drain_asked) = oneshot::channel();
        let reconciler = tokio::spawn(reconciler.run(registry.watch(), drain_asked));
        // Only then does the node say that it is there.
        let bound = Duration::from_millis(limits::START_SYNC_TIMEOUT_MS);
        match tokio::time::timeout(bound, is_synced.wait_for(|synced| *synced)).await {
            Ok(Ok(_)) => {}
            _ => return Err(NodeError::NotListed),
        }
        let serving = match shared.providers() {
            Some(providers) => providers.serve(&shared).await?,
            None => Vec::new(),
        };
        let health = match options.health {
            Some(address) => Some(
                HealthServer::start(shared.clone(), address)
                    .await
                    .map_err(|cause| NodeError::Health { address, cause })?,
            ),
            None => None,
        };
        let stop = CancellationToken::new();
        let supervisor = SupervisorOptions {
            folder: options.provider_dir,
            data: options.providers.data,
            connect,
            stop_bound: options.drain_bound,
        };
        let supervisor = tokio::spawn(supervisor::run(
            shared.clone(),
            supervisor,
            wanted_providers,
            stop.child_token(),
        ));
        let heartbeats = tokio::spawn(presence::beat(shared.clone(), stop.clone()));
        let service = presence::announce(&shared).await;
        tell(&shared, EventKind::NodeStarted).await;
        tracing::info!(node = %key, lattice = %lattice.name(), "joined");
        Ok(Self {
            shared,
            control,
            orders,
            drain,
            reconciler,
            queues_stop,
            serving,
            supervisor,
            heartbeats,
            health,
            service,
            stop,
            drain_bound: options.drain_bound,
        })
    }

    /// Returns the node's key.
    pub fn key(&self) -> &NodeKey {
        &self.shared.key
    }

    /// Returns where this node serves HTTP.
    pub fn http(&self) -> Option<SocketAddr> {
        self.shared.providers()?.http()
    }

    /// Returns where this node tells its health.
    pub fn health(&self) -> Option<SocketAddr> {
        self.health.as_ref().map(HealthServer::address)
    }

    /// Returns the lattice that the node has joined.
    pub fn lattice(&self) -> &Lattice {
        &self.shared.lattice
    }

    /// Runs until `signal` or an order to stop, then drains and leaves.
    ///
    /// # Errors
    /// [`NodeError::Lost`] when the node can't go on by itself.
    pub async fn run_until(
        mut self,
        signal: impl Future<Output = ()>,
    ) -> Result<Stopped, NodeError> {
        let mut signal = std::pin::pin!(signal);
        let mut lost = self.reconciler;
        let order = tokio::select! {
            () = &mut signal => Order::Stop,
            order = self.orders.recv() => order.unwrap_or(Order::Stop),
            // The connection was closed for good.
            _ = &mut lost => return Err(NodeError::Lost),
        };
        let begun = Instant::now();
        self.shared.start_draining();
        self.queues_stop.cancel();
        tracing::info!("draining");
        tell(&self.shared, EventKind::NodeDraining).await;
        self.shared.lattice.beat(&self.shared.heartbeat()).await;
        // From the outside in: requests end before the actors that answer them, and those before
        // the providers that they call.
        let bound = self.drain_bound;
        let mut abandoned = 0;
        if let Some(providers) = self.shared.providers() {
            abandoned += providers.quiet(bound).await;
        }
        let _ = self.drain.send(());
        abandoned += lost.await.unwrap_or_default();
        for host in self.shared.hosts.all() {
            self.shared.hosts.remove(host.key());
        }
        let serving = self.serving.into_iter().map(|serving| serving.drain(bound));
        let drained = futures_util::future::join_all(serving).await;
        abandoned += drained.iter().map(|drained| drained.unfinished).sum::<usize>();
        if let Some(providers) = self.shared.providers() {
            abandoned += providers.finish(bound).await;
        }
        let took_ms = begun.elapsed().as_millis();
        tracing::info!(abandoned, took_ms, "drained");
        if order == Order::Drain {
            self.shared.lattice.beat(&self.shared.heartbeat()).await;
            loop {
                tokio::select! {
                    () = &mut signal => break,
                    order = self.orders.recv() => if order != Some(Order::Drain) { break },
                }
            }
        }
        self.control.stop().await;
        self.stop.cancel();
        let _ = self.supervisor.await;
        let _ = self.heartbeats.await;
        if let Some(service) = self.service {
            // A server that is gone needs no goodbye.
            let _ = service.stop().await;
        }
        tell(&self.shared, EventKind::NodeStopped).await;
        self.shared.lattice.close().await;
        drop(self.health);
        tracing::info!("left");
        Ok(Stopped { abandoned })
    }
}

/// Makes the streams of durable invocations, so that anybody may store one from now on. Calls need
/// none of it: a node without it starts all the same, and what reads them tries again.
async fn open_queue(lattice: &Lattice) {
    if let Err(error) = Box::pin(lattice.open_queue()).await {
        tracing::warn!(%error, "durable invocations can't be stored yet");
    }
}

async fn tell(shared: &Shared, kind: EventKind) {
    let data = BTreeMap::from([("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    shared.lattice.tell(kind, shared.key.as_str(), shared.key.as_str(), data).await;
}
