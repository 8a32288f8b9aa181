//! What the parts of a node share: who it is, what it serves, whether it leaves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use lattice_client::Lattice;
use lattice_protocol::control::{Inventory, Refusal};
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::{ActorRecord, Labels};
use lattice_protocol::{Error, limits as wire};
use tokio::sync::Semaphore;

use crate::actor_host::ActorHost;
use crate::compute::Compute;
use crate::freshness::Freshness;
use crate::hosts::Hosts;
use crate::lattice_view::Revocations;
use crate::limits;
use crate::links::Links;
use crate::names_known::NamesKnown;
use crate::providers::Providers;
use crate::supervisor::Board;
use crate::trust::Trust;

/// What the parts of a node share.
pub(crate) struct Shared {
    pub lattice: Lattice,
    pub key: NodeKey,
    pub labels: Labels,
    pub trust: Trust,
    /// Whether spans are exported: calls pay for them only then.
    pub traced: bool,
    /// Where calls run that compute for long.
    pub compute: Compute,
    /// Calls that were answered.
    pub calls: AtomicU64,
    /// Numbers what older modules ask a sequence number for.
    pub sequence: AtomicU64,
    draining: AtomicBool,
    started: Instant,
    /// The actors that are served here.
    pub hosts: Hosts,
    /// Which actors of the lattice bear which name.
    pub names: NamesKnown,
    /// Calls that run now.
    pub in_flight: AtomicU32,
    revocations: ArcSwap<Revocations>,
    links: ArcSwap<Links>,
    /// Whether all of it is as the registry says now.
    pub freshness: Freshness,
    /// Revision of the registry up to which every change was taken in.
    registry_at: AtomicU64,
    refusals: Mutex<BTreeMap<ActorKey, Refusal>>,
    /// The providers that answer in this process; set once, at the start.
    providers: OnceLock<Providers>,
    /// What is known of the providers that this node runs as processes.
    pub board: Board,
    /// Payloads by reference that are in memory now.
    pub bodies: Arc<Semaphore>,
}

impl Shared {
    pub fn new(
        lattice: Lattice,
        key: NodeKey,
        labels: Labels,
        trust: Trust,
        traced: bool,
        compute: Compute,
    ) -> Self {
        let freshness = Freshness::new(&lattice);
        Self {
            lattice,
            key,
            labels,
            trust,
            traced,
            compute,
            calls: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            started: Instant::now(),
            hosts: Hosts::default(),
            names: NamesKnown::default(),
            in_flight: AtomicU32::new(0),
            revocations: ArcSwap::default(),
            links: ArcSwap::default(),
            freshness,
            registry_at: AtomicU64::new(0),
            refusals: Mutex::default(),
            board: Board::default(),
            bodies: Arc::new(Semaphore::new(limits::BODIES_HELD_MAX)),
            providers: OnceLock::new(),
        }
    }

    /// Returns whether the node is leaving.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Says that the node is leaving; returns whether it was not before.
    pub fn start_draining(&self) -> bool {
        !self.draining.swap(true, Ordering::Relaxed)
    }

    /// Returns the host of an actor that is served here.
    pub fn host(&self, key: &ActorKey) -> Option<Arc<ActorHost>> {
        self.hosts.get(key)
    }

    /// Says where the calls of actors lead.
    pub fn set_links(&self, links: Links) {
        self.links.store(Arc::new(links));
    }

    /// Returns where the calls of actors lead.
    pub fn links(&self) -> Arc<Links> {
        self.links.load_full()
    }

    /// Says which providers answer in this process.
    pub fn set_providers(&self, providers: Providers) {
        if self.providers.set(providers).is_err() {
            tracing::error!("the providers of a node are set once");
        }
    }

    /// Returns the providers that answer in this process.
    pub fn providers(&self) -> Option<&Providers> {
        self.providers.get()
    }

    /// Says that the change of this revision was taken in.
    pub fn saw_registry(&self, at: u64) {
        self.registry_at.fetch_max(at, Ordering::Relaxed);
    }

    /// Returns the revision up to which every change was taken in.
    pub fn registry_at(&self) -> u64 {
        self.registry_at.load(Ordering::Relaxed)
    }

    /// Says what must not be served.
    pub fn set_revocations(&self, revocations: Revocations) {
        self.revocations.store(Arc::new(revocations));
    }

    /// Returns what must not be served.
    pub fn revocations(&self) -> Arc<Revocations> {
        self.revocations.load_full()
    }

    /// Returns the error that a revocation of what `record` names answers with.
    pub fn struck(&self, record: &ActorRecord) -> Option<Error> {
        self.revocations.load().struck(&record.key, &record.issuer, &record.digest)
    }

    /// Remembers that a module is refused, for the inventory.
    pub fn remember_refusal(&self, refusal: Refusal) {
        let mut refusals = self.refusals();
        if refusals.len() < limits::REFUSALS_KEPT_MAX || refusals.contains_key(&refusal.key) {
            refusals.insert(refusal.key.clone(), refusal);
        }
    }

    /// Forgets what was refused of an actor.
    pub fn forget_refusal(&self, key: &ActorKey) {
        self.refusals().remove(key);
    }

    fn refusals(&self) -> MutexGuard<'_, BTreeMap<ActorKey, Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the node says of itself every second.
    pub fn heartbeat(&self) -> Heartbeat {
        let (actors, actor_count) = self.hosts.served(wire::HEARTBEAT_ACTORS_MAX);
        let actor_count = u32::try_from(actor_count).unwrap_or(u32::MAX);
        Heartbeat {
            v: wire::WIRE_VERSION,
            node: self.key.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            labels: self.labels.clone(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            draining: self.is_draining(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            actors,
            actor_count,
        }
    }

    /// Returns which providers the node runs.
    pub async fn providers_told(&self) -> lattice_protocol::control::Providers {
        let mut running = match self.providers() {
            Some(providers) => providers.describe().await,
            None => Vec::new(),
        };
        // A node that leaves has only what it still finishes.
        if self.is_draining() {
            running.retain(|provider| provider.in_flight > 0);
        }
        let supervised = self.board.all();
        lattice_protocol::control::Providers { node: self.key.clone(), running, supervised }
    }

    /// Returns what the node is and serves.
    pub fn inventory(&self) -> Inventory {
        let refused = self.refusals().values().cloned().collect();
        let registry_at = Some(self.registry_at());
        Inventory { heartbeat: self.heartbeat(), refused, registry_at }
    }
}
