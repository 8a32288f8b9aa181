//! Makes what this node serves follow what the registry wants: one loop, one closed set of events.

mod join;
mod others;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use lattice_client::registry::{Change, RegistryWatch};
use lattice_client::serve::Serving;
use lattice_protocol::control::Refusal;
use lattice_protocol::event::EventKind;
use lattice_protocol::keys::ActorKey;
use mesh_provider::LinkId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::actor_host::{ActorHost, Revision, Slot};
use crate::compile_pool::Haste;
use crate::follow::{Follower, Hosted, Step};
use crate::inquiry::{Heard, Inquiry, Question};
use crate::lattice_view::{Affected, Wanted};
use crate::loader::Loader;
use crate::modules::{FoundBad, Modules};
use crate::neighbours::{Neighbours, Noticed};
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
    /// Another node asks what is served here.
    Asked(Question),
    /// Other nodes say what they serve, or it is time to ask them again.
    Heard(Heard),
    /// Something was noticed of other nodes.
    Noticed(Noticed),
    /// A module that is served by its record turned out to be refused.
    FoundBad(FoundBad),
    /// The node leaves: serve nothing any more once others do, then drain everything within the
    /// bound.
    Drain,
    /// The connection was closed for good.
    Lost,
}

/// What became of loading what a record wants.
struct Loaded {
    key: ActorKey,
    wanted: Arc<Wanted>,
    outcome: Result<Arc<Revision>, Refused>,
}

/// What answers the calls of an actor, and its subscription.
struct Deployment {
    host: Arc<ActorHost>,
    serving: Serving,
    /// Its durable invocations.
    queue: Reading,
}

/// The loop. Ends when it has drained, or the registry's watch ends.
pub(crate) struct Reconciler {
    shared: Arc<Shared>,
    loader: Loader,
    modules: Modules,
    queues: Queues,
    follower: Follower,
    deployments: HashMap<ActorKey, Deployment>,
    loads: JoinSet<Loaded>,
    /// What is being left; each returns how many calls were abandoned.
    drains: JoinSet<usize>,
    questions: mpsc::Receiver<Question>,
    found_bad: mpsc::Receiver<FoundBad>,
    inquiry: Inquiry,
    neighbours: Neighbours,
    /// What others are to be asked about.
    to_ask: Vec<ActorKey>,
    drain_bound: Duration,
    /// Whether the node leaves.
    leaving: bool,
    /// Compiles what was not called yet.
    later: Option<AbortOnDropHandle<()>>,
    synced: watch::Sender<bool>,
    wanted_providers: watch::Sender<WantedProviders>,
}

impl Reconciler {
    pub fn new(
        shared: Arc<Shared>,
        (modules, found_bad): (Modules, mpsc::Receiver<FoundBad>),
        queues: Queues,
        questions: mpsc::Receiver<Question>,
        drain_bound: Duration,
        synced: watch::Sender<bool>,
        wanted_providers: watch::Sender<WantedProviders>,
    ) -> Self {
        let follower =
            Follower::new(shared.key.clone(), shared.labels.clone(), shared.trust.clone());
        let inquiry = Inquiry::new(shared.lattice.clone());
        let neighbours = Neighbours::new(shared.lattice.clone());
        Self {
            shared,
            loader: modules.loader().clone(),
            modules,
            queues,
            follower,
            deployments: HashMap::new(),
            loads: JoinSet::new(),
            drains: JoinSet::new(),
            questions,
            found_bad,
            inquiry,
            neighbours,
            to_ask: Vec::new(),
            drain_bound,
            leaving: false,
            later: None,
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
                _ = &mut drain, if !self.leaving => Event::Drain,
                change = changes.next() => change.map_or(Event::Lost, Event::Changed),
                Some(Ok(loaded)) = self.loads.join_next() => Event::Loaded(loaded),
                Some(question) = self.questions.recv() => Event::Asked(question),
                heard = self.inquiry.next() => Event::Heard(heard),
                noticed = self.neighbours.next() => Event::Noticed(noticed),
                Some(found) = self.found_bad.recv() => Event::FoundBad(found),
                Some(_) = self.drains.join_next(), if !self.leaving => continue,
            };
            match event {
                Event::Changed(change) => self.changed(change).await,
                Event::Loaded(loaded) => self.loaded(loaded).await,
                Event::Asked(question) => self.asked(question),
                Event::Heard(heard) => self.heard(heard).await,
                Event::Noticed(noticed) => self.noticed(noticed).await,
                Event::FoundBad(found) => self.found_bad(found).await,
                Event::Drain => self.begin_to_leave().await,
                Event::Lost => return self.leave().await,
            }
            self.inquiry.ask(&std::mem::take(&mut self.to_ask)).await;
            if self.neighbours.listen(self.follower.counts_peers()).await {
                self.follower.forget_peers();
            }
            if !self.follower.lingers() {
                self.inquiry.close();
                if self.leaving {
                    return self.leave().await;
                }
            }
        }
    }

    async fn changed(&mut self, change: Change) {
        match change {
            Change::Put { at, .. } | Change::Removed { at, .. } => {
                self.take_in(change, at).await;
                self.shared.saw_registry(at);
            }
            Change::Synced { connection, pauses } => {
                if *self.synced.borrow() {
                    self.take_in(change, 0).await;
                } else {
                    self.join().await;
                    self.synced.send_replace(true);
                }
                self.shared.freshness.read_through(connection, pauses);
            }
            Change::CaughtUp { pauses } => self.shared.freshness.caught_up(pauses),
        }
    }

    async fn take_in(&mut self, change: Change, at: u64) {
        let shown = match &change {
            Change::Put { key, .. } => key.to_string(),
            Change::Removed { .. } | Change::Synced { .. } | Change::CaughtUp { .. } => {
                String::new()
            }
        };
        let affected = match self.follower.take_in(change) {
            Ok(affected) => affected,
            Err(error) => {
                tracing::warn!(record = shown, %error, "a record is refused");
                let data = BTreeMap::from([("reason".to_owned(), error.to_string())]);
                self.tell(EventKind::RecordRefused, &shown, data).await;
                Affected::Nothing
            }
        };
        // Until all is listed, nothing is done about any of it: to do it once is enough.
        let listed = *self.synced.borrow();
        let view = self.follower.view();
        match &affected {
            Affected::Actor(key) => {
                let name = view.actor(key).map(|wanted| &wanted.record.name);
                self.shared.names.set(key, name);
            }
            Affected::Everything if !listed => {}
            Affected::Everything => self.shared.set_revocations(view.revocations().clone()),
            Affected::Link(source, contract, name) => {
                if listed {
                    self.shared.set_links(view.links().clone());
                }
                let Some(providers) = self.shared.providers() else { return };
                match view.links().get(source, contract, name) {
                    Some(record) => providers.put_link(record, at),
                    None => {
                        let id = LinkId { source: source.clone(), name: name.clone() };
                        providers.remove_link(contract, &id);
                    }
                }
            }
            Affected::Providers if !listed => {}
            Affected::Providers => {
                self.wanted_providers.send_replace(view.providers().clone());
            }
            Affected::Nothing => {}
        }
        if listed {
            let keys = self.follower.affected(&affected);
            self.follow_all(keys).await;
        }
    }

    async fn follow_all(&mut self, keys: Vec<ActorKey>) {
        for key in keys {
            let steps = self.follower.follow(&key);
            self.take(&key, steps, None).await;
        }
    }

    /// Takes steps about one actor; `loaded` is what [`Step::Serve`] is about.
    async fn take(&mut self, key: &ActorKey, steps: Vec<Step>, loaded: Option<&Arc<Revision>>) {
        for step in steps {
            match step {
                Step::Load { wanted, pause } => {
                    let before = self.host(key).and_then(|host| host.revision());
                    self.spawn_load(key.clone(), wanted, before, pause);
                }
                Step::Serve { subscribe } => {
                    if let Some(revision) = loaded {
                        self.serve(key, revision, subscribe).await;
                    }
                }
                Step::Answer { error, subscribe } => self.answer(key, error, subscribe).await,
                Step::Refuse { wanted, refused } => self.refuse(key, &wanted, &refused).await,
                Step::Await { wanted, refused } => {
                    tracing::warn!(
                        actor = %key, revision = wanted.record.revision,
                        reason = %refused.error.message,
                        "a module can't be loaded yet; trying again"
                    );
                    self.remember(key, &wanted, &refused);
                }
                Step::Linger => {
                    tracing::info!(actor = %key, "not for this node any more: served until another node serves it");
                    if let Some(host) = self.host(key) {
                        host.set_lingering(true);
                    }
                    self.to_ask.push(key.clone());
                }
                Step::Stay => {
                    if let Some(host) = self.host(key) {
                        host.set_lingering(false);
                    }
                }
                Step::Stop => self.stop(key).await,
            }
        }
    }

    fn host(&self, key: &ActorKey) -> Option<Arc<ActorHost>> {
        self.deployments.get(key).map(|deployment| deployment.host.clone())
    }

    fn spawn_load(
        &mut self,
        key: ActorKey,
        wanted: Arc<Wanted>,
        before: Option<Arc<Revision>>,
        pause: Duration,
    ) {
        let (loader, modules) = (self.loader.clone(), self.modules.clone());
        let haste = if before.is_some() { Haste::Unhurried } else { Haste::Awaited };
        self.loads.spawn(async move {
            tokio::time::sleep(pause).await;
            let outcome = loader.module(&wanted.record, haste).await.map(|module| {
                let revision = Arc::new(Revision::new(wanted.clone(), before.as_deref()));
                modules.put(&revision, &module);
                revision
            });
            Loaded { key, wanted, outcome }
        });
    }

    async fn loaded(&mut self, loaded: Loaded) {
        let Loaded { key, wanted, outcome } = loaded;
        let (revision, outcome) = match outcome {
            Ok(revision) => {
                let serving = revision.serving();
                (Some(revision), Ok(serving))
            }
            Err(refused) => (None, Err(refused)),
        };
        let steps = self.follower.loaded(&key, &wanted, outcome);
        self.take(&key, steps, revision.as_ref()).await;
    }

    /// Puts a revision where calls find it: behind the subscription where there is one.
    async fn serve(&mut self, key: &ActorKey, revision: &Arc<Revision>, subscribe: bool) {
        self.shared.forget_refusal(key);
        let mut data = join::event_data(revision);
        let number = revision.number();
        let slot = Slot::Serving(revision.clone());
        if subscribe {
            if self.subscribe(key, slot, Hosted::Serving(revision.serving())).await {
                tracing::info!(actor = %key, revision = number, "serving");
                self.tell(EventKind::ActorStarted, key.as_str(), data).await;
            }
        } else if let Some(host) = self.host(key) {
            let before = host.revision().map(|before| before.number().to_string());
            let before = before.unwrap_or_default();
            host.swap(slot);
            self.shared.hosts.put(&host);
            tracing::info!(actor = %key, revision = number, before, "swapped");
            data.insert("before".to_owned(), before);
            self.tell(EventKind::ActorSwapped, key.as_str(), data).await;
        }
    }

    /// Answers every call of an actor with `error`, and stops its revision.
    async fn answer(&mut self, key: &ActorKey, error: lattice_protocol::Error, subscribe: bool) {
        if let Some(wanted) = self.follower.view().actor(key).cloned() {
            self.loader.forget(&wanted.record.digest);
            self.remember(key, &wanted, &Refused::revoked(error.clone()));
        }
        if subscribe {
            tracing::warn!(actor = %key, reason = %error.message, "refused");
            self.subscribe(key, Slot::Refusing(error), Hosted::Refusing).await;
            return;
        }
        let Some(host) = self.host(key) else { return };
        let before = host.revision();
        host.swap(Slot::Refusing(error.clone()));
        self.shared.hosts.put(&host);
        if let Some(revision) = before {
            self.loader.forget(revision.digest());
            tracing::warn!(actor = %key, reason = %error.message, "stopped");
            let data = BTreeMap::from([("reason".to_owned(), error.message)]);
            self.tell(EventKind::ActorStopped, key.as_str(), data).await;
        }
    }

    /// Leaves what is served as it is, and says why the newest record is not followed.
    async fn refuse(&mut self, key: &ActorKey, wanted: &Wanted, refused: &Refused) {
        let record = &wanted.record;
        tracing::warn!(
            actor = %key, name = %record.name, revision = record.revision, digest = %record.digest,
            reason = %refused.error.message, "refused"
        );
        self.remember(key, wanted, refused);
        let data = refusal::event_data(record, refused);
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

    async fn tell(&self, kind: EventKind, subject: &str, data: BTreeMap<String, String>) {
        self.shared.lattice.tell(kind, self.shared.key.as_str(), subject, data).await;
    }
}
