//! A provider in a process of its own: joins a lattice, serves its key, follows its links, answers
//! questions, drains, and ends with whoever started it.

mod control;
mod program;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lattice_client::answer::AnswerOptions;
use lattice_client::control::Controls;
use lattice_client::registry::{Change, RegistryError, RegistryWatch};
use lattice_client::serve::{ServeError, Serving};
use lattice_client::{ConnectError, ConnectOptions, Lattice};
use lattice_protocol::Error;
use lattice_protocol::event::EventKind;
use lattice_protocol::keys::{KeyError, NodeKey, ProviderKey};
use lattice_protocol::record::{LinkRecord, Record};
use lattice_protocol::subjects::RegistryKey;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

pub use program::{NoArgs, StandaloneArgs, main, main_with};

use crate::actors::ActorsByNats;
use crate::context::Context;
use crate::host::ProviderHost;
use crate::limits;
use crate::link::LinkId;
use crate::provider::{About, BoxFuture, Provider};

/// What a provider's process is started with.
pub struct ProcessOptions {
    /// How to reach NATS, and which lattice to join.
    pub connect: ConnectOptions,
    /// How long it tries to reach NATS at its start.
    pub connect_bound: Duration,
    /// The key that it serves.
    pub key: ProviderKey,
    /// Its own key: that of this process.
    pub node: NodeKey,
    /// Where the provider keeps what it keeps on this machine.
    pub data: Option<std::path::PathBuf>,
    /// Time that calls in flight have when it leaves.
    pub drain_bound: Duration,
    /// Whether spans are exported.
    pub traced: bool,
}

/// Why a provider can't start, or can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// NATS can't be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The registry can't be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A subject can't be subscribed to.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// There is no key for it.
    #[error("no key could be made: {0}")]
    Key(#[from] KeyError),
    /// The provider itself can't be made.
    #[error("{}: {}", .0.code, .0.message)]
    Provider(Error),
    /// The registry could not be listed.
    #[error("the registry could not be listed in time: is JetStream well?")]
    NotListed,
    /// The connection was closed for good.
    #[error("the links are no longer followed: the connection to NATS was closed for good")]
    Lost,
}

/// Makes a provider of what it is given.
pub type Make<'a> =
    Box<dyn FnOnce(Context) -> BoxFuture<'a, Result<Arc<dyn Provider>, Error>> + Send + 'a>;

/// A provider that serves.
pub struct Process {
    lattice: Lattice,
    host: ProviderHost,
    node: NodeKey,
    about: About,
    calls: Serving,
    control: Controls,
    links: JoinHandle<()>,
    drain_bound: Duration,
}

impl Process {
    /// Joins a lattice and serves; returns when every link that there is has been begun.
    ///
    /// # Errors
    /// [`ProcessError`] naming what is missing.
    pub async fn start(
        about: About,
        options: ProcessOptions,
        make: Make<'_>,
    ) -> Result<Self, ProcessError> {
        let lattice = mesh_program::connect(options.connect, options.connect_bound).await?;
        let registry = lattice.registry().await?;
        let key = options.key;
        let actors =
            ActorsByNats::new(lattice.clone(), key.clone(), about.contract, options.traced);
        let context = Context {
            key: key.clone(),
            lattice: lattice.clone(),
            actors: Arc::new(actors),
            data: options.data,
        };
        let provider = make(context).await.map_err(ProcessError::Provider)?;
        let host = ProviderHost::new(key.clone(), provider, options.traced);
        let mut watch = registry.watch();
        // A call must not come before the links that it may use.
        let bound = Duration::from_millis(limits::START_SYNC_TIMEOUT_MS);
        match tokio::time::timeout(bound, follow_until_synced(&host, &mut watch)).await {
            Ok(true) => {}
            _ => return Err(ProcessError::NotListed),
        }
        let links = tokio::spawn(follow(host.clone(), watch));
        let control = control::start(&lattice, options.node.clone(), host.clone()).await?;
        let answer = AnswerOptions {
            target: key.clone().into(),
            node: options.node.clone(),
            in_flight_max: usize::try_from(limits::CALLS_IN_FLIGHT_MAX).unwrap_or(usize::MAX),
            bodies: Arc::new(Semaphore::new(limits::BODIES_HELD_MAX)),
        };
        let calls = lattice.answer_calls(answer, Arc::new(host.clone())).await?;
        let data = BTreeMap::from([
            ("name".to_owned(), about.name.to_owned()),
            ("contract".to_owned(), about.contract.name.to_owned()),
            ("version".to_owned(), about.version.to_owned()),
        ]);
        let kind = EventKind::ProviderStarted;
        lattice.tell(kind, options.node.as_str(), key.as_str(), data).await;
        tracing::info!(provider = %key, name = about.name, lattice = %lattice.name(), "serving");
        let drain_bound = options.drain_bound;
        Ok(Self { lattice, host, node: options.node, about, calls, control, links, drain_bound })
    }

    /// Returns the host of its links.
    pub fn host(&self) -> &ProviderHost {
        &self.host
    }

    /// Runs until `signal`, then drains and leaves. Returns how many calls were abandoned.
    ///
    /// # Errors
    /// [`ProcessError::Lost`] when it can't go on by itself.
    pub async fn run_until(
        mut self,
        signal: impl Future<Output = ()>,
    ) -> Result<usize, ProcessError> {
        tokio::select! {
            () = signal => {}
            _ = &mut self.links => return Err(ProcessError::Lost),
        }
        tracing::info!("draining");
        let bound = self.drain_bound;
        let quiet = self.host.quiet(bound).await;
        let drained = self.calls.drain(bound).await;
        self.host.finish(bound).await;
        self.control.stop().await;
        self.links.abort();
        let data = BTreeMap::from([
            ("name".to_owned(), self.about.name.to_owned()),
            ("reason".to_owned(), "it was told to leave".to_owned()),
        ]);
        let kind = EventKind::ProviderStopped;
        self.lattice.tell(kind, self.node.as_str(), self.host.key().as_str(), data).await;
        self.lattice.close().await;
        tracing::info!("left");
        Ok(quiet + drained.unfinished)
    }
}

/// Takes in the links that there are; returns whether that came to its end.
async fn follow_until_synced(host: &ProviderHost, watch: &mut RegistryWatch) -> bool {
    while let Some(change) = watch.next().await {
        if matches!(change, Change::Synced { .. }) {
            return true;
        }
        take_in(host, change);
    }
    false
}

async fn follow(host: ProviderHost, mut watch: RegistryWatch) {
    while let Some(change) = watch.next().await {
        take_in(&host, change);
    }
}

fn take_in(host: &ProviderHost, change: Change) {
    match change {
        Change::Put { key: RegistryKey::Link(source, contract, name), value, at } => {
            match LinkRecord::decode(&value) {
                Ok(record)
                    if (&record.source, &record.contract, &record.name)
                        == (&source, &contract, &name) =>
                {
                    host.put_link(&record, at);
                }
                Ok(_) => tracing::warn!(%source, %contract, "a link is about another one: refused"),
                Err(error) => tracing::warn!(%source, %contract, %error, "a link is refused"),
            }
        }
        Change::Removed { key: RegistryKey::Link(source, contract, name), .. } => {
            if contract.as_str() == host.about().contract.name {
                host.remove_link(&LinkId { source, name });
            }
        }
        Change::Put { .. }
        | Change::Removed { .. }
        | Change::Synced { .. }
        | Change::CaughtUp { .. } => {}
    }
}
