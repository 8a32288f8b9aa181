//! Which nodes serve an actor that is to be served by so many: rendezvous hashing, which every node
//! computes for itself. All must agree on it, so it is part of the wire.

use sha2::{Digest, Sha256};

use crate::keys::{ActorKey, NodeKey};

/// Returns how much `actor` is for `node`: those with the highest weights serve it.
///
/// The first eight bytes, as a big-endian number, of the SHA-256 of the actor's key followed by the
/// node's.
pub fn weight(actor: &ActorKey, node: &NodeKey) -> u64 {
    let sum = Sha256::new().chain_update(actor.as_str()).chain_update(node.as_str()).finalize();
    sum.iter().take(8).fold(0, |weight, byte| weight << 8 | u64::from(*byte))
}

/// Returns whether `node` is one of the `replicas` that serve `actor` where `others` could too; of
/// two nodes of equal weight that of the greater key.
///
/// A node that is told by a consistent view of `others` decides as all the others do: exactly
/// `replicas` nodes serve, or all where there are not so many. One that joins or leaves moves only
/// what it gets or had.
pub fn is_chosen<'a>(
    actor: &ActorKey,
    node: &NodeKey,
    others: impl IntoIterator<Item = &'a NodeKey>,
    replicas: usize,
) -> bool {
    let own = (weight(actor, node), node);
    let before = others.into_iter().filter(|other| (weight(actor, other), *other) > own);
    before.take(replicas).count() < replicas
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::keys::{Key, KeyKind};

    /// Returns the key of a seed that is made of `number`.
    fn key<K: KeyKind>(number: u64) -> Key<K> {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        nkeys::KeyPair::new_from_raw(K::PAIR, seed).unwrap().public_key().parse().unwrap()
    }

    fn chosen(actor: &ActorKey, nodes: &BTreeSet<NodeKey>, replicas: usize) -> BTreeSet<NodeKey> {
        let chosen = |node: &&NodeKey| {
            let others = nodes.iter().filter(|other| other != node);
            is_chosen(actor, node, others, replicas)
        };
        nodes.iter().filter(chosen).cloned().collect()
    }

    #[test]
    fn the_weight_is_what_the_protocol_says() {
        let actor = "MCFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVZ4AO".parse().unwrap();
        let node = "NDWUSKGGFDI4FRXK5EBTRECZSVQSSWJHHJOGH6JWG3AUMFFMQ435CDIX".parse().unwrap();
        // Computed by another program; docs/protocol.md tells it too.
        assert_eq!(weight(&actor, &node), 3_297_767_821_206_810_403);
    }

    #[test]
    fn actors_are_spread_evenly() {
        let nodes: BTreeSet<NodeKey> = (0..5).map(key).collect();
        let actors: Vec<ActorKey> = (0..1_000).map(key).collect();
        for node in &nodes {
            let served = actors.iter().filter(|actor| chosen(actor, &nodes, 2).contains(node));
            let share = served.count();
            assert!((300..500).contains(&share), "{share} of 1000, where 400 are fair");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn exactly_so_many_serve_or_all(
            actor in any::<u64>(),
            nodes in prop::collection::btree_set(0_u64..1_000, 1..12),
            replicas in 1_usize..6,
        ) {
            let nodes: BTreeSet<NodeKey> = nodes.into_iter().map(key).collect();
            let chosen = chosen(&key(actor), &nodes, replicas);
            prop_assert_eq!(chosen.len(), replicas.min(nodes.len()));
        }

        #[test]
        fn who_joins_or_leaves_moves_only_what_it_gets_or_had(
            actor in any::<u64>(),
            nodes in prop::collection::btree_set(0_u64..1_000, 2..12),
            replicas in 1_usize..6,
        ) {
            let all: BTreeSet<NodeKey> = nodes.into_iter().map(key).collect();
            for one in &all {
                let rest: BTreeSet<NodeKey> = all.iter().filter(|node| *node != one).cloned().collect();
                let with = chosen(&key(actor), &all, replicas);
                let without = chosen(&key(actor), &rest, replicas);
                let moved = with.symmetric_difference(&without).count();
                // The one, and who takes or took its place.
                let most = if with.contains(one) { 2 } else { 0 };
                prop_assert!(moved <= most, "{moved}");
            }
        }

        #[test]
        fn who_sees_fewer_nodes_is_chosen_all_the_more(
            actor in any::<u64>(),
            nodes in prop::collection::btree_set(0_u64..1_000, 2..12),
            hidden in prop::collection::vec(any::<bool>(), 12),
            replicas in 1_usize..6,
        ) {
            let all: BTreeSet<NodeKey> = nodes.into_iter().map(key).collect();
            for node in chosen(&key(actor), &all, replicas) {
                let seen = all.iter().zip(&hidden).filter(|(_, hidden)| !**hidden);
                let seen = seen.map(|(other, _)| other).filter(|other| **other != node);
                prop_assert!(is_chosen(&key(actor), &node, seen, replicas));
            }
        }
    }
}
