//! How a node begins to serve: all that the registry has listed at once, with few waits, and by their records alone
//! where they are many.

use std::collections::BTreeMap;
use std::sync::Arc;

use lattice_client::answer::AnswerOptions;
use lattice_client::serve::{ServeError, Serving};
use lattice_protocol::event::EventKind;
use lattice_protocol::keys::{ActorKey, TargetKey};
use tokio_util::task::AbortOnDropHandle;

use super::{Deployment, Reconciler};
use crate::actor_host::{ActorHost, Revision, Slot};
use crate::follow::{Hosted, Step};
use crate::lattice_view::Affected;
use crate::limits;
use crate::modules::FoundBad;

/// A subscription that the server may not know of yet.
pub(super) struct Opened {
    host: Arc<ActorHost>,
    serving: Serving,
    options: AnswerOptions,
    hosted: Hosted,
}

impl Reconciler {
    /// Does what all records want that were there when the node came.
    pub(super) async fn join(&mut self) {
        let view = self.follower.view();
        self.shared.set_links(view.links().clone());
        self.shared.set_revocations(view.revocations().clone());
        self.wanted_providers.send_replace(view.providers().clone());
        let keys = self.follower.affected(&Affected::Everything);
        if keys.len() <= limits::LOADED_AT_JOIN_MAX {
            return self.follow_all(keys).await;
        }
        let mut served = Vec::new();
        for key in keys {
            for step in self.follower.follow(&key) {
                match step {
                    Step::Load { wanted, .. } => {
                        let revision = Arc::new(Revision::new(wanted.clone(), None));
                        let steps = self.follower.loaded(&key, &wanted, Ok(revision.serving()));
                        match steps.as_slice() {
                            [Step::Serve { subscribe: true }] => served.push(revision),
                            _ => self.take(&key, steps, Some(&revision)).await,
                        }
                    }
                    step => self.take(&key, vec![step], None).await,
                }
            }
        }
        for some in served.chunks(limits::JOIN_SUBSCRIPTIONS) {
            self.serve_unloaded(some).await;
        }
        let later = served.iter().map(Arc::downgrade).collect();
        let later = tokio::spawn(self.modules.clone().compile_later(later));
        self.later = Some(AbortOnDropHandle::new(later));
        tracing::info!(
            actors = served.len(),
            "serving all by their records: each module is loaded when it is called first, or later"
        );
    }

    /// Serves revisions whose modules are not loaded.
    async fn serve_unloaded(&mut self, revisions: &[Arc<Revision>]) {
        let mut all = Vec::with_capacity(revisions.len());
        for revision in revisions {
            let key = &revision.wanted.record.key;
            let hosted = Hosted::Serving(revision.serving());
            match self.open(key, Slot::Serving(revision.clone()), hosted).await {
                Ok(opened) => all.push(opened),
                Err(error) => tracing::error!(actor = %key, %error, "an actor can't be served"),
            }
        }
        // What is not confirmed is given up, and tried again when the registry is listed anew.
        if !self.shared.lattice.fence().await {
            tracing::error!(
                actors = all.len(),
                "actors can't be served: the server does not confirm it"
            );
            return;
        }
        for opened in all {
            self.opened(opened);
        }
        for revision in revisions {
            let key = revision.wanted.record.key.as_str();
            tracing::debug!(actor = key, revision = revision.number(), "serving");
            self.tell(EventKind::ActorStarted, key, event_data(revision)).await;
        }
    }

    /// Subscribes for an actor; returns whether that went well.
    pub(super) async fn subscribe(&mut self, key: &ActorKey, slot: Slot, hosted: Hosted) -> bool {
        match self.open(key, slot, hosted).await {
            Ok(opened) if self.shared.lattice.fence().await => {
                self.opened(opened);
                true
            }
            Ok(_) => {
                tracing::error!(actor = %key, "an actor can't be served: the server does not confirm it");
                false
            }
            Err(error) => {
                tracing::error!(actor = %key, %error, "an actor can't be served");
                false
            }
        }
    }

    /// Subscribes for an actor; the server may not know of it yet.
    pub(super) async fn open(
        &self,
        key: &ActorKey,
        slot: Slot,
        hosted: Hosted,
    ) -> Result<Opened, ServeError> {
        let (shared, modules) = (self.shared.clone(), self.modules.clone());
        let host = Arc::new(ActorHost::new(key.clone(), shared, modules, slot));
        let options = AnswerOptions {
            target: TargetKey::Actor(key.clone()),
            node: self.shared.key.clone(),
            in_flight_max: limits::CALLS_IN_FLIGHT_MAX,
            bodies: self.shared.bodies.clone(),
        };
        let serving = self.shared.lattice.begin_to_answer(options.clone(), host.clone()).await?;
        Ok(Opened { host, serving, options, hosted })
    }

    /// Takes in that the server knows of a subscription.
    pub(super) fn opened(&mut self, opened: Opened) {
        let Opened { host, serving, options, hosted } = opened;
        let key = host.key().clone();
        self.shared.hosts.put(&host);
        let queue = self.queues.read(&host, options);
        self.follower.subscribed(&key, hosted);
        self.deployments.insert(key, Deployment { host, serving, queue });
    }

    /// Leaves to others an actor whose module turned out to be refused; calls that are here are told why.
    pub(super) async fn found_bad(&mut self, found: FoundBad) {
        let FoundBad { wanted, refused } = found;
        let key = &wanted.record.key;
        let steps = self.follower.unusable(key, &wanted, refused.clone());
        if let Some(host) = self.host(key).filter(|_| !steps.is_empty()) {
            host.swap(Slot::Refusing(refused.error));
        }
        self.take(key, steps, None).await;
    }
}

/// Returns what an event says of a revision that is served.
pub(super) fn event_data(revision: &Revision) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("name".to_owned(), revision.name().to_string()),
        ("revision".to_owned(), revision.number().to_string()),
        ("digest".to_owned(), revision.digest().to_string()),
    ])
}
