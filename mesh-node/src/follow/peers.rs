//! What follows when other nodes come and go: actors that only so many nodes are to serve move.

use lattice_protocol::keys::ActorKey;
use lattice_protocol::presence::Heartbeat;

use super::Follower;
use crate::peers::Peers;

impl Follower {
    /// Returns whether it matters which other nodes there are.
    pub fn counts_peers(&self) -> bool {
        !self.view.counted().is_empty()
    }

    /// Takes in the heartbeat of a node; returns the actors to [`follow`](Follower::follow) then.
    pub fn beat(&mut self, beat: &Heartbeat) -> Vec<ActorKey> {
        let others = beat.node != self.node && self.peers.hear(beat);
        self.counted_if(others)
    }

    /// Takes in that [`limits::PEERS_LOOK_INTERVAL_MS`](crate::limits::PEERS_LOOK_INTERVAL_MS) have
    /// passed in which others could be heard; returns the actors to follow then.
    pub fn look(&mut self) -> Vec<ActorKey> {
        let fewer = self.peers.look();
        self.counted_if(fewer)
    }

    /// Takes in that others could not be heard for a while, which says nothing about them.
    pub fn deaf(&mut self) {
        self.peers.deaf();
    }

    /// Forgets who is there: nobody listens any more.
    pub fn forget_peers(&mut self) {
        self.peers = Peers::default();
    }

    fn counted_if(&self, changed: bool) -> Vec<ActorKey> {
        match changed {
            true => self.view.counted().iter().cloned().collect(),
            false => Vec::new(),
        }
    }
}
