//! Subscriptions of nodes: what `lattice-client/src/serve.rs` and `fence.rs` do about them.

use crate::host::Slot;
use crate::net::{Message, Up};
use crate::node::NodeEvent;
use crate::schedule::MS;
use crate::world::{Break, World};

/// How far a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Opening,
    Open,
    /// Stopped, and waiting for the fence.
    Closing,
    Closed,
}

/// A subscription as its node knows it.
pub struct Sub {
    pub node: usize,
    pub life: u64,
    pub actor: usize,
    pub phase: Phase,
    pub slot: Slot,
    /// What arrived and was not read.
    pub unread: Vec<Message>,
}

impl World {
    /// Has a message go to the server and back, behind which all that was sent before is there.
    pub fn fence(&mut self, node: usize, sub: usize) {
        self.send(self.nodes[node].conn, Up::Fence { sub });
        let bound = lattice_client::limits::FENCE_TIMEOUT_MS * MS;
        self.node_event(node, bound, NodeEvent::FenceOver { sub });
    }

    pub fn fence_back(&mut self, sub: usize) {
        let Some(Sub { node, phase, .. }) = self.subs.get(sub) else { return };
        let node = *node;
        match phase {
            Phase::Opening => {
                let opened = self.nodes[node].opening.take();
                self.subs[sub].phase = Phase::Open;
                if let Some((_, key, hosted)) = opened {
                    self.nodes[node].hosts.insert(key.clone(), sub);
                    self.nodes[node].follower.subscribed(&key, hosted);
                }
                self.read(sub);
                self.run_loop(node);
            }
            Phase::Closing => self.closed(sub),
            Phase::Open | Phase::Closed => {}
        }
    }

    pub fn fence_failed(&mut self, sub: usize) {
        let node = self.subs[sub].node;
        match self.subs[sub].phase {
            Phase::Opening => {
                self.subs[sub].phase = Phase::Closed;
                self.send(self.nodes[node].conn, Up::Unsubscribe { sub });
                self.nodes[node].opening = None;
                self.run_loop(node);
                self.gone_if_done(node);
            }
            Phase::Closing => self.closed(sub),
            Phase::Open | Phase::Closed => {}
        }
    }

    /// Leaves a subscription: the server stops sending, a fence comes back behind all that it had
    /// sent, that is read, and only then is the subscription forgotten.
    pub fn close(&mut self, sub: usize) {
        let node = self.subs[sub].node;
        self.send(self.nodes[node].conn, Up::Unsubscribe { sub });
        if self.broken == Some(Break::NoFence) {
            self.subs[sub].phase = Phase::Closed;
            return;
        }
        self.subs[sub].phase = Phase::Closing;
        self.fence(node, sub);
    }

    pub fn closed(&mut self, sub: usize) {
        self.read(sub);
        self.subs[sub].phase = Phase::Closed;
        self.gone_if_done(self.subs[sub].node);
    }

    pub fn read(&mut self, sub: usize) {
        for message in std::mem::take(&mut self.subs[sub].unread) {
            self.begin_run(sub, message);
        }
    }

    pub fn call_arrived(&mut self, sub: usize, message: Message) {
        match self.subs[sub].phase {
            Phase::Open => self.begin_run(sub, message),
            Phase::Opening | Phase::Closing => self.subs[sub].unread.push(message),
            // Nobody is there to read it.
            Phase::Closed => {}
        }
    }

    /// Has a node leave: every subscription behind a fence, then the calls, then the connection.
    pub fn leave(&mut self, node: usize) {
        self.nodes[node].leaving = true;
        for sub in std::mem::take(&mut self.nodes[node].hosts).into_values() {
            self.close(sub);
        }
        self.gone_if_done(node);
    }

    pub fn gone_if_done(&mut self, node: usize) {
        let state = &self.nodes[node];
        if !state.alive || !state.leaving || state.running > 0 {
            return;
        }
        let open = self
            .subs
            .iter()
            .any(|sub| sub.node == node && sub.life == state.life && sub.phase != Phase::Closed);
        if !open {
            self.goodbye(state.conn);
            self.nodes[node].alive = false;
            self.trace(|| format!("node {node} has left"));
        }
    }

    /// What a client does about a lost connection: whoever waits for a fence waits no more.
    pub fn node_lost(&mut self, node: usize) {
        self.nodes[node].hears_none = true;
        let life = self.nodes[node].life;
        for sub in 0..self.subs.len() {
            let Sub { node: of, life: then, phase, .. } = self.subs[sub];
            if of == node && then == life && matches!(phase, Phase::Opening | Phase::Closing) {
                self.fence_failed(sub);
            }
        }
    }

    /// Makes the subscriptions again that a new connection lacks, and lists the registry.
    pub fn resubscribe(&mut self, node: usize) {
        let life = self.nodes[node].life;
        for sub in 0..self.subs.len() {
            let Sub { node: of, life: then, phase, actor, .. } = self.subs[sub];
            if of == node && then == life && phase == Phase::Open {
                self.send(self.nodes[node].conn, Up::Subscribe { sub, actor });
            }
        }
        self.list(node);
    }
}
