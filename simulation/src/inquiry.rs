//! What nodes ask each other while something is served that is not for them any more: what
//! `mesh-node/src/inquiry.rs` does around the decisions of `Follower`.

use lattice_protocol::control::{ActorStates, AskActors};
use lattice_protocol::keys::ActorKey;
use mesh_node::decide::Step;
use mesh_node::limits::LINGER_ASK_INTERVAL_MS;

use crate::net::{Down, Up};
use crate::node::{Item, NodeEvent};
use crate::schedule::MS;
use crate::world::{Break, Owner, World};

/// Longest that a node which leaves waits for others, in questions: as where a drain has 30 s.
const LEAVE_ASKS_MAX: u32 = 120;

impl World {
    /// Asks every node about actors, now and from time to time.
    pub fn inquire(&mut self, node: usize, actors: Vec<ActorKey>) {
        if actors.is_empty() {
            return;
        }
        self.send(self.nodes[node].conn, Up::Inquire { actors });
        if !self.nodes[node].asks {
            self.nodes[node].asks = true;
            self.node_event(node, LINGER_ASK_INTERVAL_MS * MS, NodeEvent::AskAgain);
        }
    }

    /// Gives a message to every node that the server knows of.
    pub fn tell_nodes(&mut self, message: &Down) {
        for conn in 0..self.conns.len() {
            let Owner::Node { node, life } = self.conns[conn].owner else { continue };
            let known = self.conns[conn].client == Some(self.conns[conn].epoch);
            if known && self.nodes[node].alive && self.nodes[node].life == life {
                self.push(conn, message.clone());
            }
        }
    }

    pub fn inquired(&mut self, node: usize, from: usize, actors: Vec<ActorKey>) {
        let state = &self.nodes[node];
        let ask = AskActors { actors };
        let Some(mut states) = state.follower.states(state.key.clone(), &ask, !state.synced) else {
            return;
        };
        if self.broken == Some(Break::ClaimLingering) {
            // Whatever it has a subscription for, it says to serve.
            for key in ask.actors.iter().filter(|key| state.hosts.contains_key(*key)) {
                let at = u64::MAX;
                states.serving.push(lattice_protocol::control::ServingBy { key: key.clone(), at });
            }
        }
        self.send(self.nodes[node].conn, Up::States { to: from, states });
    }

    pub fn heard_states(&mut self, node: usize, states: &ActorStates) {
        let over = self.nodes[node].follower.heard(states);
        self.over(node, over);
    }

    pub fn ask_again(&mut self, node: usize) {
        self.nodes[node].asks = false;
        if !self.nodes[node].follower.lingers() {
            return;
        }
        let again = self.nodes[node].follower.ask_again();
        self.over(node, again.over);
        self.inquire(node, again.ask);
    }

    fn over(&mut self, node: usize, over: Vec<ActorKey>) {
        for key in over {
            self.take(node, &key, vec![Step::Stop], None);
        }
    }

    /// Has a node leave: what others are about to serve is served until then.
    pub fn begin_to_leave(&mut self, node: usize) {
        self.nodes[node].departs = true;
        self.say_alive(node);
        let keys = self.nodes[node].follower.leave(LEAVE_ASKS_MAX);
        self.follow_all(node, keys);
    }

    pub fn follow_all(&mut self, node: usize, keys: Vec<ActorKey>) {
        for key in keys.into_iter().rev() {
            self.nodes[node].mailbox.push_front(Item::Follow(key));
        }
    }
}
