//! The other nodes of the lattice as a node hears of them: who is there, and for whom an actor is
//! that so many nodes are to serve. Without I/O: what is heard, and that time passes, is told.

use std::collections::BTreeMap;

use lattice_protocol::keys::NodeKey;
use lattice_protocol::placement::is_chosen;
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::{ActorRecord, Labels};

use crate::limits;
use crate::plan::missing_label;

/// Looks in a row in which a node was not heard, after which it is taken for gone.
const SILENT_LOOKS_MAX: u64 =
    lattice_protocol::limits::HEARTBEAT_LOST_MS / limits::PEERS_LOOK_INTERVAL_MS;

/// The other nodes.
#[derive(Debug, Default)]
pub struct Peers(BTreeMap<NodeKey, Peer>);

#[derive(Debug)]
struct Peer {
    labels: Labels,
    silent: u64,
}

impl Peers {
    /// Takes in a heartbeat of another node; returns whether there are others now than before. A
    /// node that leaves is none of them.
    pub fn hear(&mut self, beat: &Heartbeat) -> bool {
        if beat.draining {
            return self.0.remove(&beat.node).is_some();
        }
        let full = self.0.len() >= limits::PEERS_MAX;
        match self.0.get_mut(&beat.node) {
            Some(peer) => {
                peer.silent = 0;
                let others = peer.labels != beat.labels;
                if others {
                    peer.labels.clone_from(&beat.labels);
                }
                others
            }
            None if !full => {
                let labels = beat.labels.clone();
                self.0.insert(beat.node.clone(), Peer { labels, silent: 0 });
                true
            }
            None => false,
        }
    }

    /// Takes in that [`limits::PEERS_LOOK_INTERVAL_MS`] have passed in which others could be heard;
    /// returns whether there are fewer now.
    pub fn look(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|_, peer| {
            peer.silent += 1;
            peer.silent <= SILENT_LOOKS_MAX
        });
        self.0.len() < before
    }

    /// Takes in that others could not be heard for a while: all of them are waited for anew.
    pub fn deaf(&mut self) {
        self.0.values_mut().for_each(|peer| peer.silent = 0);
    }

    /// Returns whether others serve an actor, and `node` does not though it has its labels: only so
    /// many are to.
    pub fn serve_instead(&self, node: &NodeKey, record: &ActorRecord) -> bool {
        let Some(replicas) = record.replicas() else { return false };
        !is_chosen(&record.key, node, self.fitting(record), replicas)
    }

    /// Returns how many other nodes are to serve an actor where `node` does not.
    pub fn needed(&self, record: &ActorRecord) -> usize {
        match record.replicas() {
            None => 1,
            Some(replicas) => self.fitting(record).take(replicas).count().max(1),
        }
    }

    fn fitting<'a>(&'a self, record: &'a ActorRecord) -> impl Iterator<Item = &'a NodeKey> {
        let fits = |(_, peer): &(&NodeKey, &Peer)| missing_label(&peer.labels, record).is_none();
        self.0.iter().filter(fits).map(|(node, _)| node)
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::fixture;

    fn node() -> NodeKey {
        NodeKey::generate().unwrap().0
    }

    fn beat(node: &NodeKey, zone: &str) -> Heartbeat {
        Heartbeat {
            v: 1,
            node: node.clone(),
            version: String::new(),
            labels: [("zone".to_owned(), zone.to_owned())].into(),
            uptime_ms: 1,
            draining: false,
            in_flight: 0,
            calls: 0,
            actors: Vec::new(),
            actor_count: 0,
        }
    }

    fn record(replicas: Option<u32>) -> ActorRecord {
        let labels = [("zone".to_owned(), "eu".to_owned())].into();
        ActorRecord { labels, replicas, ..fixture::record(1) }
    }

    #[test]
    fn who_is_not_heard_for_a_while_or_leaves_is_gone() {
        let (one, two) = (node(), node());
        let mut peers = Peers::default();
        assert!(peers.hear(&beat(&one, "eu")) && peers.hear(&beat(&two, "eu")));
        for _ in 0..SILENT_LOOKS_MAX {
            assert!(!peers.look());
            assert!(!peers.hear(&beat(&one, "eu")), "nothing new");
        }
        assert!(peers.look(), "the other was not heard");
        assert!(!peers.look());
        assert!(peers.hear(&beat(&one, "us")), "other labels");
        assert!(peers.hear(&Heartbeat { draining: true, ..beat(&one, "us") }));
        assert!(!peers.hear(&Heartbeat { draining: true, ..beat(&one, "us") }));
    }

    #[test]
    fn silence_that_is_not_theirs_does_not_count() {
        let mut peers = Peers::default();
        peers.hear(&beat(&node(), "eu"));
        for _ in 0..10 * SILENT_LOOKS_MAX {
            peers.deaf();
            assert!(!peers.look());
        }
    }

    #[test]
    fn exactly_so_many_of_those_with_the_labels_serve_it() {
        let eu: Vec<NodeKey> = (0..4).map(|_| node()).collect();
        let us = node();
        for replicas in 1..6 {
            let record = record(Some(replicas));
            let serves = |own: &&NodeKey| {
                let mut peers = Peers::default();
                peers.hear(&beat(&us, "us"));
                for other in eu.iter().filter(|other| other != own) {
                    peers.hear(&beat(other, "eu"));
                }
                !peers.serve_instead(own, &record)
            };
            let wanted = usize::try_from(replicas).unwrap().min(eu.len());
            assert_eq!(eu.iter().filter(serves).count(), wanted);
        }
    }

    #[test]
    fn whoever_goes_waits_for_as_many_as_are_to_serve_it_and_for_one_at_least() {
        let mut peers = Peers::default();
        assert_eq!(peers.needed(&record(Some(2))), 1);
        for _ in 0..3 {
            peers.hear(&beat(&node(), "eu"));
        }
        let needed = [None, Some(1), Some(2), Some(9)].map(|k| peers.needed(&record(k)));
        assert_eq!(needed, [1, 1, 2, 3]);
    }
}
