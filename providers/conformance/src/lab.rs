//! Where a suite opens links of its own, with settings of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::LinkName;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{Answers, BoxFuture, CallInfo, Config, LinkId, Provider, ProviderCall};

use crate::Link;

/// Opens and closes the links of one actor, wherever the provider runs.
pub trait Lab: Send + Sync {
    /// Opens a link, in the place of an earlier one of that name; it works when this returns.
    ///
    /// # Errors
    /// Why the provider refuses it.
    fn open<'a>(&'a self, name: &'a LinkName, config: Config)
    -> BoxFuture<'a, Result<Link, Error>>;

    /// Closes a link; nothing of it is under way when this returns.
    fn close<'a>(&'a self, name: &'a LinkName) -> BoxFuture<'a, ()>;

    /// Ends number `instance` (from 0) of the processes that run the provider, as a crash would.
    /// Returns whether it could.
    fn kill(&self, instance: usize) -> bool;
}

/// Providers in this process, each as if it ran alone: calls go to one after the other. Cheap to
/// clone.
#[derive(Clone)]
pub struct InProcess(Arc<Shared>);

struct Shared {
    source: ActorKey,
    timeout: Duration,
    /// There is none in the place of one that was killed.
    instances: Mutex<Vec<Option<Instance>>>,
    generation: AtomicU64,
    turn: AtomicUsize,
}

#[derive(Clone)]
struct Instance {
    provider: Arc<dyn Provider>,
    links: HashMap<LinkName, Arc<dyn Answers>>,
}

impl InProcess {
    /// Makes a lab in which all of `providers` serve each link of `source`. A call may take
    /// `timeout`, and so may opening a link.
    pub fn new(
        source: ActorKey,
        timeout: Duration,
        providers: impl IntoIterator<Item = Arc<dyn Provider>>,
    ) -> Self {
        let instance = |provider| Some(Instance { provider, links: HashMap::new() });
        Self(Arc::new(Shared {
            source,
            timeout,
            instances: Mutex::new(providers.into_iter().map(instance).collect()),
            generation: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
        }))
    }
}

impl Shared {
    fn instances(&self) -> MutexGuard<'_, Vec<Option<Instance>>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self, name: &LinkName, config: Config) -> Result<(), Error> {
        let id = LinkId { source: self.source.clone(), name: name.clone() };
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let link = mesh_provider::Link { id, config, generation };
        let count = self.instances().len();
        for index in 0..count {
            let provider = match self.instances().get(index) {
                Some(Some(instance)) => instance.provider.clone(),
                _ => continue,
            };
            let opened = tokio::time::timeout(self.timeout, provider.open(&link)).await;
            let late = |_| Error::started(ErrorCode::DeadlineExceeded, "the link does not open");
            let answers = opened.map_err(late)??;
            let before = match self.instances().get_mut(index) {
                Some(Some(instance)) => instance.links.insert(name.clone(), answers),
                _ => None,
            };
            if let Some(before) = before {
                before.close().await;
            }
        }
        Ok(())
    }

    async fn ask(&self, name: &LinkName, operation: &str, payload: &[u8]) -> Result<Bytes, Error> {
        let answers = {
            let instances = self.instances();
            let of = |instance: &Instance| instance.links.get(name).cloned();
            let open: Vec<_> = instances.iter().flatten().filter_map(of).collect();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            open.get(turn.checked_rem(open.len()).unwrap_or_default()).cloned()
        };
        let answers = answers.ok_or_else(|| {
            Error::not_started(ErrorCode::NoLink, format!("no link {name} is open"))
        })?;
        let deadline = Instant::now() + self.timeout;
        let info = CallInfo { deadline, trace: TraceContext::default() };
        let answer = answers.answer(ProviderCall { operation, payload, info });
        tokio::time::timeout_at(deadline.into(), answer).await.unwrap_or_else(|_| {
            let late = format!("{operation} was not answered in time");
            Err(Error::started(ErrorCode::DeadlineExceeded, late))
        })
    }
}

impl Lab for InProcess {
    fn open<'a>(
        &'a self,
        name: &'a LinkName,
        config: Config,
    ) -> BoxFuture<'a, Result<Link, Error>> {
        Box::pin(async move {
            self.0.open(name, config).await?;
            let (shared, name) = (self.0.clone(), name.clone());
            Ok(Link::new(move |operation, payload| {
                let (shared, name) = (shared.clone(), name.clone());
                async move { shared.ask(&name, &operation, &payload).await }
            }))
        })
    }

    fn close<'a>(&'a self, name: &'a LinkName) -> BoxFuture<'a, ()> {
        let of = |instance: &mut Instance| instance.links.remove(name);
        let open: Vec<_> = self.0.instances().iter_mut().flatten().filter_map(of).collect();
        Box::pin(async move {
            futures_util::future::join_all(open.iter().map(|answers| answers.close())).await;
        })
    }

    fn kill(&self, instance: usize) -> bool {
        // What it had open is dropped with it, and so are the tasks of that.
        self.0.instances().get_mut(instance).is_some_and(|instance| instance.take().is_some())
    }
}
