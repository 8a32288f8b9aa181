//! Loads of modules: what `mesh-node/src/loader.rs` would bring.

use std::sync::Arc;
use std::time::Duration;

use lattice_protocol::keys::ActorKey;
use mesh_node::decide::{Refused, Serving, Wanted};
use rand::Rng;

use crate::host::{Rev, Slot};
use crate::node::NodeEvent;
use crate::scenario::Quality;
use crate::schedule::MS;
use crate::world::World;

impl World {
    pub fn load(&mut self, node: usize, key: &ActorKey, wanted: Arc<Wanted>, pause: Duration) {
        let before = self.nodes[node].hosts.get(key).and_then(|sub| match &self.subs[*sub].slot {
            Slot::Serving(rev) => Some(rev.places),
            Slot::Refusing(_) => None,
        });
        let takes = match self.modules.get(&wanted.record.digest) {
            Some(Quality::Good(time)) => *time,
            _ => 5 * MS,
        };
        let pause = u64::try_from(pause.as_micros()).unwrap_or_default();
        let after = pause + takes / 2 + self.rng.random_range(0..=takes / 2);
        self.node_event(node, after, NodeEvent::Loaded { key: key.clone(), wanted, before });
    }

    pub fn loaded(
        &mut self,
        node: usize,
        key: &ActorKey,
        wanted: &Arc<Wanted>,
        before: Option<usize>,
    ) {
        let record = &wanted.record;
        let quality = self.modules.get(&record.digest).copied().unwrap_or(Quality::Bad);
        let conn = &self.conns[self.nodes[node].conn];
        let reached = conn.client == Some(conn.epoch) && self.now() >= conn.cut_until;
        let tries = self.nodes[node].tries.entry(record.digest.to_string()).or_default();
        *tries += 1;
        let outcome = match quality {
            _ if !reached => Err(Refused::passing("the module could not be fetched in time")),
            Quality::Flaky(times) if *tries <= times => Err(Refused::passing("not there yet")),
            Quality::Bad => Err(Refused::mismatch("revision", "1", "2")),
            Quality::Good(_) | Quality::Flaky(_) => Ok(Serving {
                revision: record.revision,
                issuer: record.issuer.clone(),
                digest: record.digest.clone(),
            }),
        };
        let rev = outcome.is_ok().then(|| Rev {
            number: record.revision,
            digest: record.digest.clone(),
            issuer: record.issuer.clone(),
            places: self.places(before, record.concurrency()),
        });
        let steps = self.nodes[node].follower.loaded(key, wanted, outcome);
        self.take(node, key, steps, rev.as_ref());
    }
}
