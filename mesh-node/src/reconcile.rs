//! Makes what this node serves follow what the registry wants: one loop, one closed set of events.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use lattice_client::answer::AnswerOptions;
use lattice_client::registry::{Change, RegistryWatch};
use lattice_client::serve::Serving;
use lattice_protocol::control::Refusal;
use lattice_protocol::event::EventKind;
use lattice_protocol::keys::{ActorKey, TargetKey};
use mesh_provider::LinkId;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::actor_host::{ActorHost, Revision, Slot};
use crate::lattice_view::{Affected, LatticeView, Wanted};
use crate::limits;
use crate::loader::Loader;
use crate::plan::{self, Plan};
use crate::queue::{Queues, Reading};
use crate::refusal::{self, Refused};
use crate::shared::Shared;
use crate::supervisor::WantedProviders;

/// What the loop reacts to.
enum Event {
    /// The registry changed.
    Changed(Change),
    /// A module is ready, or refused.
    Loaded(Loaded),
    /// The node leaves: drain everything within the bound.
    Drain,
}

/// What became of loading what a record wants.
struct Loaded {
    key: ActorKey,
    wanted: Arc<Wanted>,
    outcome: Result<Arc<Revision>, Refused>,
}

/// What the loop keeps of an actor.
#[derive(Default)]
struct Deployment {
    host: Option<Arc<ActorHost>>,
    serving: Option<Serving>,
    /// Its durable invocations.
    queue: Option<Reading>,
    /// Registry revision of the record that is being loaded.
    loading: Option<u64>,
    /// Registry revision of the record that was refused for good.
    refused: Option<u64>,
    /// Registry revision of the record whose refusal was told last.
    told: Option<u64>,
    /// Registry revision of the record that is served.
    served: Option<u64>,
}

/// The loop. Ends when it has drained, or the registry's watch ends.
pub(crate) struct Reconciler {
    shared: Arc<Shared>,
    loader: Loader,
    queues: Queues,
    view: LatticeView,
    deployments: HashMap<ActorKey, Deployment>,
    loads: JoinSet<Loaded>,
    drains: JoinSet<()>,
    drain_bound: Duration,
    synced: watch::Sender<bool>,
    wanted_providers: watch::Sender<WantedProviders>,
}

impl Reconciler {
    pub fn new(
        shared: Arc<Shared>,
        loader: Loader,
        queues: Queues,
        drain_bound: Duration,
        synced: watch::Sender<bool>,
        wanted_providers: watch::Sender<WantedProviders>,
    ) -> Self {
        Self {
            shared,
            loader,
            queues,
            view: LatticeView::default(),
            deployments: HashMap::new(),
            loads: JoinSet::new(),
            drains: JoinSet::new(),
            drain_bound,
            synced,
            wanted_providers,
        }
    }

    /// Follows the registry until `drain` says to leave; returns how many calls were abandoned.
    pub async fn run(
        mut self,
        mut changes: RegistryWatch,
        mut drain: oneshot::Receiver<()>,
    ) -> usize {
        loop {
            let event = tokio::select! {
                _ = &mut drain => Event::Drain,
                change = changes.next() => change.map_or(Event::Drain, Event::Changed),
                Some(Ok(loaded)) = self.loads.join_next() => Event::Loaded(loaded),
                Some(_) = self.drains.join_next() => continue,
            };
            match event {
                Event::Changed(change) => self.changed(change).await,
                Event::Loaded(loaded) => self.loaded(loaded).await,
                Event::Drain => return self.leave().await,
            }
        }
    }

    async fn changed(&mut self, change: Change) {
        let at = match &change {
            Change::Put { at, .. } | Change::Removed { at, .. } => *at,
            Change::Synced { .. } => 0,
        };
        let read_through = match &change {
            Change::Synced { connection } => Some(*connection),
            _ => None,
        };
        self.take_in(change, at).await;
        if let Some(connection) = read_through {
            self.shared.freshness.read_through(connection);
        }
        self.shared.saw_registry(at);
    }

    async fn take_in(&mut self, change: Change, at: u64) {
        let affected = match change {
            Change::Put { key, value, at } => {
                let shown = key.to_string();
                match self.view.put(key, &value, at) {
                    Ok(affected) => affected,
                    Err(error) => {
                        tracing::warn!(record = shown, %error, "a record is refused");
                        let data = BTreeMap::from([("reason".to_owned(), error.to_string())]);
                        self.tell(EventKind::RecordRefused, &shown, data).await;
                        Affected::Nothing
                    }
                }
            }
            Change::Removed { key, .. } => self.view.remove(&key),
            Change::Synced { .. } => {
                self.synced.send_replace(true);
                // What could not be done when it was told, such as a subscription while NATS was
                // away, is done now.
                Affected::Everything
            }
        };
        match affected {
            Affected::Actor(key) => {
                self.shared.set_names(self.view.names());
                self.follow(&key).await;
            }
            Affected::Everything => {
                self.shared.set_revocations(self.view.revocations().clone());
                let mut keys: Vec<_> = self.view.actors().cloned().collect();
                keys.extend(
                    self.deployments.keys().filter(|key| self.view.actor(key).is_none()).cloned(),
                );
                for key in keys {
                    self.follow(&key).await;
                }
            }
            Affected::Link(source, contract, name) => {
                self.shared.set_links(self.view.links().clone());
                let Some(providers) = self.shared.providers() else { return };
                match self.view.links().get(&source, &contract, &name) {
                    Some(record) => providers.put_link(record, at),
                    None => providers.remove_link(&contract, &LinkId { source, name }),
                }
            }
            Affected::Providers => {
                self.wanted_providers.send_replace(self.view.providers().clone());
            }
            Affected::Nothing => {}
        }
    }

    /// Takes the step that brings one actor nearer to what is wanted of it.
    async fn follow(&mut self, key: &ActorKey) {
        if let Some(serving) = self.serving(key)
            && let Some(error) = plan::struck(&self.view, key, &serving)
        {
            self.answer(key, error).await;
        }
        let revision = self.host_revision(key);
        match self.plan(key) {
            Plan::Absent => self.stop(key, "undeployed").await,
            Plan::Answer(error) => self.answer(key, error).await,
            Plan::Refuse(refused) => self.refuse(key, refused).await,
            Plan::Serve => self.start_loading(key, revision),
        }
    }

    fn plan(&self, key: &ActorKey) -> Plan {
        let serving = self.serving(key);
        plan::plan(&self.view, key, &self.shared.labels, &self.shared.trust, serving.as_ref())
    }

    fn serving(&self, key: &ActorKey) -> Option<plan::Serving> {
        let revision = self.host_revision(key)?;
        Some(plan::Serving {
            revision: revision.number,
            issuer: revision.issuer.clone(),
            digest: revision.digest.clone(),
        })
    }

    fn host_revision(&self, key: &ActorKey) -> Option<Arc<Revision>> {
        self.deployments.get(key)?.host.as_ref()?.revision()
    }

    /// Loads what the newest record wants, unless that is under way or was refused for good.
    fn start_loading(&mut self, key: &ActorKey, before: Option<Arc<Revision>>) {
        let Some(wanted) = self.view.actor(key).cloned() else { return };
        let deployment = self.deployments.entry(key.clone()).or_default();
        let served = before.is_some() && deployment.served == Some(wanted.at);
        // One load at a time: its end looks at what is wanted by then.
        if served || deployment.loading.is_some() || deployment.refused == Some(wanted.at) {
            return;
        }
        deployment.loading = Some(wanted.at);
        self.spawn_load(key.clone(), wanted, before, Duration::ZERO);
    }

    fn spawn_load(
        &mut self,
        key: ActorKey,
        wanted: Arc<Wanted>,
        before: Option<Arc<Revision>>,
        pause: Duration,
    ) {
        let loader = self.loader.clone();
        self.loads.spawn(async move {
            tokio::time::sleep(pause).await;
            let outcome = loader.load(&wanted.record, before.as_deref()).await;
            Loaded { key, wanted, outcome }
        });
    }

    async fn loaded(&mut self, loaded: Loaded) {
        let Loaded { key, wanted, outcome } = loaded;
        // An undeployment in between has made this the end of another load.
        if let Some(deployment) = self.deployments.get_mut(&key)
            && deployment.loading == Some(wanted.at)
        {
            deployment.loading = None;
        }
        let newest = self.view.actor(&key).is_some_and(|now| now.at == wanted.at);
        match outcome {
            Ok(revision) => {
                // What was decided when the load began may be otherwise now.
                if newest && self.plan(&key) == Plan::Serve {
                    self.serve(&key, revision).await;
                    if let Some(deployment) = self.deployments.get_mut(&key) {
                        deployment.served = Some(wanted.at);
                    }
                } else {
                    self.follow(&key).await;
                }
            }
            Err(refused) if refused.passing && newest && self.plan(&key) == Plan::Serve => {
                tracing::warn!(
                    actor = %key, revision = wanted.record.revision, reason = %refused.error.message,
                    "a module can't be loaded yet; trying again"
                );
                self.remember(&key, &wanted, &refused);
                if let Some(deployment) = self.deployments.get_mut(&key) {
                    deployment.loading = Some(wanted.at);
                }
                let before = self.host_revision(&key);
                let pause = Duration::from_millis(limits::LOAD_RETRY_PAUSE_MS);
                self.spawn_load(key, wanted, before, pause);
            }
            Err(refused) if newest && !refused.passing => {
                if let Some(deployment) = self.deployments.get_mut(&key) {
                    deployment.refused = Some(wanted.at);
                }
                self.refuse(&key, refused).await;
            }
            Err(_) => self.follow(&key).await,
        }
    }

    /// Puts a revision where calls find it: behind the subscription where there is one.
    async fn serve(&mut self, key: &ActorKey, revision: Arc<Revision>) {
        self.shared.forget_refusal(key);
        let mut data = BTreeMap::from([
            ("name".to_owned(), revision.name.to_string()),
            ("revision".to_owned(), revision.number.to_string()),
            ("digest".to_owned(), revision.digest.to_string()),
        ]);
        let number = revision.number;
        let host = self.deployments.get(key).and_then(|deployment| deployment.host.clone());
        if let Some(host) = host {
            let before = host.revision().map(|before| before.number);
            host.swap(Slot::Serving(revision));
            let before = before.map(|number| number.to_string()).unwrap_or_default();
            tracing::info!(actor = %key, revision = number, before, "swapped");
            data.insert("before".to_owned(), before);
            self.tell(EventKind::ActorSwapped, key.as_str(), data).await;
        } else if self.subscribe(key, Slot::Serving(revision)).await {
            tracing::info!(actor = %key, revision = number, "serving");
            self.tell(EventKind::ActorStarted, key.as_str(), data).await;
        }
    }

    /// Answers every call of an actor with `error`, and stops its revision.
    async fn answer(&mut self, key: &ActorKey, error: lattice_protocol::Error) {
        if let Some(wanted) = self.view.actor(key).cloned() {
            self.loader.forget(&wanted.record.digest);
            self.remember(key, &wanted, &Refused::revoked(error.clone()));
        }
        let host = self.deployments.get(key).and_then(|deployment| deployment.host.clone());
        match host {
            Some(host) => {
                if let Some(revision) = host.revision() {
                    self.loader.forget(&revision.digest);
                    tracing::warn!(actor = %key, reason = %error.message, "stopped");
                    let data = BTreeMap::from([("reason".to_owned(), error.message.clone())]);
                    host.swap(Slot::Refusing(error));
                    self.tell(EventKind::ActorStopped, key.as_str(), data).await;
                } else {
                    host.swap(Slot::Refusing(error));
                }
            }
            None => {
                tracing::warn!(actor = %key, reason = %error.message, "refused");
                self.subscribe(key, Slot::Refusing(error)).await;
            }
        }
    }

    /// Leaves what is served as it is, and says why the newest record is not followed.
    async fn refuse(&mut self, key: &ActorKey, refused: Refused) {
        let Some(wanted) = self.view.actor(key).cloned() else { return };
        let deployment = self.deployments.entry(key.clone()).or_default();
        if deployment.told.replace(wanted.at) == Some(wanted.at) {
            return;
        }
        let record = &wanted.record;
        tracing::warn!(
            actor = %key, name = %record.name, revision = record.revision, digest = %record.digest,
            reason = %refused.error.message, "refused"
        );
        self.remember(key, &wanted, &refused);
        let data = refusal::event_data(record, &refused);
        self.tell(EventKind::ActorRefused, key.as_str(), data).await;
    }

    fn remember(&self, key: &ActorKey, wanted: &Wanted, refused: &Refused) {
        self.shared.remember_refusal(Refusal {
            key: key.clone(),
            digest: wanted.record.digest.clone(),
            revision: wanted.record.revision,
            error: refused.error.clone(),
        });
    }

    /// Subscribes for an actor; returns whether that went well.
    async fn subscribe(&mut self, key: &ActorKey, slot: Slot) -> bool {
        let host = Arc::new(ActorHost::new(key.clone(), self.shared.clone(), slot));
        let options = AnswerOptions {
            target: TargetKey::Actor(key.clone()),
            node: self.shared.key.clone(),
            in_flight_max: limits::CALLS_IN_FLIGHT_MAX,
            bodies: self.shared.bodies.clone(),
        };
        match self.shared.lattice.answer_calls(options.clone(), host.clone()).await {
            Ok(serving) => {
                self.shared.add_host(&host);
                let queue = self.queues.read(&host, options);
                let deployment = self.deployments.entry(key.clone()).or_default();
                deployment.queue = Some(queue);
                deployment.host = Some(host);
                deployment.serving = Some(serving);
                true
            }
            Err(error) => {
                tracing::error!(actor = %key, %error, "an actor can't be served");
                false
            }
        }
    }

    /// Serves an actor no more: leaves its subscription without losing a call.
    async fn stop(&mut self, key: &ActorKey, reason: &str) {
        self.shared.forget_refusal(key);
        let Some(deployment) = self.deployments.remove(key) else { return };
        self.shared.remove_host(key);
        if let Some(queue) = deployment.queue {
            queue.stop();
            self.drains.spawn(queue.close(self.drain_bound));
        }
        if let Some(serving) = deployment.serving {
            let bound = self.drain_bound;
            let actor = key.clone();
            self.drains.spawn(async move {
                let drained = serving.drain(bound).await;
                tracing::info!(%actor, fenced = drained.fenced, "left");
            });
        }
        if deployment.host.is_some() {
            tracing::info!(actor = %key, reason, "stopped");
            let data = BTreeMap::from([("reason".to_owned(), reason.to_owned())]);
            self.tell(EventKind::ActorStopped, key.as_str(), data).await;
        }
    }

    /// Leaves every subscription; returns how many calls were abandoned at the bound.
    async fn leave(mut self) -> usize {
        self.loads.shutdown().await;
        let bound = self.drain_bound;
        let mut leaving = JoinSet::new();
        for (_, deployment) in self.deployments {
            if let Some(queue) = deployment.queue {
                self.drains.spawn(queue.close(bound));
            }
            if let Some(serving) = deployment.serving {
                leaving.spawn(serving.drain(bound));
            }
        }
        let mut abandoned = 0;
        while let Some(drained) = leaving.join_next().await {
            abandoned += drained.map_or(0, |drained| drained.unfinished);
        }
        while self.drains.join_next().await.is_some() {}
        abandoned
    }

    async fn tell(&self, kind: EventKind, subject: &str, data: BTreeMap<String, String>) {
        self.shared.lattice.tell(kind, self.shared.key.as_str(), subject, data).await;
    }
}
