//! The watch of a node: what `lattice-client/src/registry/watch.rs` does around `Told`.

use lattice_client::registry::Change;
use lattice_client::registry::told::Entry;
use rand::Rng;

use crate::node::{Item, NodeEvent};
use crate::schedule::MS;
use crate::world::{Event, World};

impl World {
    /// Asks for every record; where there is no answer, asks again.
    pub fn list(&mut self, node: usize) {
        self.nodes[node].watch += 1;
        self.nodes[node].listed = false;
        self.nodes[node].deaf = false;
        let watch = self.nodes[node].watch;
        let conn = &self.conns[self.nodes[node].conn];
        let reached = conn.client == Some(conn.epoch) && self.now() >= conn.cut_until;
        if !reached {
            let bound = lattice_client::limits::WATCH_LIST_TIMEOUT_MS
                + lattice_client::limits::WATCH_RETRY_PAUSE_MS;
            self.node_event(node, bound * MS, NodeEvent::List { watch });
            return;
        }
        let stale = std::mem::take(&mut self.nodes[node].stale);
        let upto = self.bucket.revision().saturating_sub(stale);
        let entries = self.bucket.list(upto);
        let after = self.delay() + self.delay();
        self.node_event(node, after, NodeEvent::Listed { watch, entries, upto });
        let again = lattice_client::limits::RELIST_INTERVAL_MS * MS;
        self.node_event(node, after + again, NodeEvent::List { watch });
    }

    pub fn listed(&mut self, node: usize, entries: Vec<Entry>, upto: u64) {
        self.nodes[node].listed = true;
        let (changes, missing) = self.nodes[node].told.listed(entries);
        self.nodes[node].mailbox.extend(changes.into_iter().map(Item::Change));
        let watch = self.nodes[node].watch;
        // The watch goes on where the list ended.
        for entry in self.bucket.since(upto) {
            self.hear(node, watch, entry);
        }
        if missing.is_empty() {
            self.synced(node);
        } else {
            let there =
                |key: &str| self.bucket.entry(key).is_some_and(|entry| entry.value.is_some());
            let keys =
                missing.into_iter().map(|(key, at)| (key.clone(), at, there(&key))).collect();
            let after = self.delay() + self.delay();
            self.node_event(node, after, NodeEvent::Missing { watch, keys });
            self.run_loop(node);
        }
    }

    pub fn synced(&mut self, node: usize) {
        self.nodes[node]
            .mailbox
            .push_back(Item::Change(Change::Synced { connection: 0, pauses: 0 }));
        self.run_loop(node);
    }

    /// Tells a node of a write: those of one key in order, those of several in any.
    pub fn hear(&mut self, node: usize, watch: u64, entry: Entry) {
        let mut after = self.delay();
        if self.rng.random_bool(0.1) {
            after += self.rng.random_range(0..200 * MS);
        }
        let last = self.nodes[node].heard.get(&entry.key).copied().unwrap_or_default();
        let at = (self.now() + after).max(last);
        self.nodes[node].heard.insert(entry.key.clone(), at);
        let life = self.nodes[node].life;
        self.schedule.at(at, Event::Heard { node, life, watch, entry });
    }

    /// Tells every node that watches of a write.
    pub fn publish(&mut self, entry: &Entry) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].alive {
                let watch = self.nodes[node].watch;
                self.hear(node, watch, entry.clone());
            }
        }
    }

    pub fn heard(&mut self, node: usize, life: u64, watch: u64, entry: Entry) {
        let state = &self.nodes[node];
        let conn = &self.conns[state.conn];
        let passes = conn.client == Some(conn.epoch);
        if state.deaf || !passes || (self.now() < conn.cut_until && conn.cut_loses) {
            return;
        }
        if self.now() < conn.cut_until {
            let at = conn.cut_until;
            self.schedule.at(at, Event::Heard { node, life, watch, entry });
            return;
        }
        self.at_node(node, life, NodeEvent::Heard { watch, entry });
    }
}
