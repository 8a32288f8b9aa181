//! The actors that a node serves: found by key on the way of each call, told in order with each heartbeat.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lattice_protocol::keys::ActorKey;
use lattice_protocol::presence::ServedActor;

use crate::actor_host::ActorHost;
use crate::shards::Shards;

/// The hosts. Only the reconciler writes.
#[derive(Default)]
pub(crate) struct Hosts {
    by_key: Shards<ActorKey, Arc<ActorHost>>,
    listed: Mutex<Listed>,
}

#[derive(Default)]
struct Listed {
    hosts: BTreeMap<ActorKey, Arc<ActorHost>>,
    /// Those of them that answer with an error only.
    refusing: BTreeSet<ActorKey>,
}

impl Hosts {
    fn listed(&self) -> MutexGuard<'_, Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the host of an actor.
    pub fn get(&self, key: &ActorKey) -> Option<Arc<ActorHost>> {
        self.by_key.get(key)
    }

    /// Returns every host.
    pub fn all(&self) -> Vec<Arc<ActorHost>> {
        self.listed().hosts.values().cloned().collect()
    }

    /// Adds a host, or takes in that what answers there is another thing now.
    pub fn put(&self, host: &Arc<ActorHost>) {
        let key = host.key();
        let refuses = host.revision().is_none();
        let mut listed = self.listed();
        let known = listed.hosts.insert(key.clone(), host.clone());
        match refuses {
            true => listed.refusing.insert(key.clone()),
            false => listed.refusing.remove(key),
        };
        drop(listed);
        if !known.is_some_and(|known| Arc::ptr_eq(&known, host)) {
            self.by_key.insert(key.clone(), host.clone());
        }
    }

    /// Takes a host out.
    pub fn remove(&self, key: &ActorKey) {
        self.by_key.remove(key);
        let mut listed = self.listed();
        listed.hosts.remove(key);
        listed.refusing.remove(key);
    }

    /// Returns what the first `most` of them serve, and how many serve anything.
    pub fn served(&self, most: usize) -> (Vec<ServedActor>, usize) {
        let listed = self.listed();
        let served = listed.hosts.values().filter_map(|host| host.served()).take(most).collect();
        (served, listed.hosts.len().saturating_sub(listed.refusing.len()))
    }
}
