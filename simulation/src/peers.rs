//! Heartbeats, where some actor may be for so many nodes only: what `mesh-node/src/presence.rs` and
//! `neighbours.rs` do around the decisions of `Follower`.

use lattice_protocol::limits::{HEARTBEAT_INTERVAL_MS, WIRE_VERSION};
use lattice_protocol::presence::Heartbeat;
use mesh_node::limits::PEERS_LOOK_INTERVAL_MS;

use crate::cast::zone_label;
use crate::net::Up;
use crate::node::{Item, NodeEvent};
use crate::scenario::Action;
use crate::schedule::MS;
use crate::world::{Break, World};

impl World {
    pub fn begin_to_beat(&mut self, node: usize) {
        let counts =
            |(_, action): &(_, Action)| matches!(action, Action::Deploy { replicas: Some(_), .. });
        // Where it never matters, nobody listens.
        if self.scenario.actions.iter().any(counts) {
            self.node_event(node, 0, NodeEvent::Beat);
            self.node_event(node, PEERS_LOOK_INTERVAL_MS * MS, NodeEvent::Look);
        }
    }

    pub fn beat(&mut self, node: usize) {
        self.say_alive(node);
        self.node_event(node, HEARTBEAT_INTERVAL_MS * MS, NodeEvent::Beat);
    }

    /// Tells a heartbeat.
    pub fn say_alive(&mut self, node: usize) {
        let state = &self.nodes[node];
        let beat = Heartbeat {
            v: WIRE_VERSION,
            node: state.key.clone(),
            version: String::new(),
            labels: zone_label(self.scenario.nodes[node].zone),
            uptime_ms: 0,
            draining: state.departs,
            in_flight: 0,
            calls: 0,
            actors: Vec::new(),
            actor_count: 0,
        };
        // It is told best effort: what waits for a connection is no sign of life.
        if self.conns[state.conn].client.is_some() {
            self.send(state.conn, Up::Beat(Box::new(beat)));
        }
    }

    pub fn look_for_peers(&mut self, node: usize) {
        self.node_event(node, PEERS_LOOK_INTERVAL_MS * MS, NodeEvent::Look);
        self.nodes[node].mailbox.push_back(Item::Look);
        self.run_loop(node);
    }

    pub fn heard_beat(&mut self, node: usize, beat: &Heartbeat) {
        if !self.nodes[node].follower.counts_peers() || self.broken == Some(Break::HearNobody) {
            return;
        }
        let keys = self.nodes[node].follower.beat(beat);
        self.follow_all(node, keys);
    }

    pub fn look_around(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        let down = self.conns[state.conn].client.is_none();
        let keys = if !state.follower.counts_peers() {
            state.follower.forget_peers();
            Vec::new()
        } else if std::mem::take(&mut state.hears_none) || down {
            state.follower.deaf();
            Vec::new()
        } else {
            state.follower.look()
        };
        self.follow_all(node, keys);
    }
}
