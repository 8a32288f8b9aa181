//! What holds for every input: names and subjects can't be injected into, decoding never panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// A test may stop at the first thing that is not as it should be.

#[path = "../vectors/contract_types.rs"]
mod contract_types;
mod contracts;
mod messages;
mod names;

use lattice_protocol::keys::{Actor, Key, KeyKind, Provider, TargetKey};
use lattice_protocol::names::{ContractName, Digest, LinkName};
use proptest::prelude::*;

fn key<K: KeyKind>() -> impl Strategy<Value = Key<K>> {
    any::<[u8; 32]>().prop_map(|seed| {
        nkeys::KeyPair::new_from_raw(K::PAIR, seed).unwrap().public_key().parse().unwrap()
    })
}

fn target() -> impl Strategy<Value = TargetKey> {
    prop_oneof![
        key::<Actor>().prop_map(TargetKey::from),
        key::<Provider>().prop_map(TargetKey::from)
    ]
}

fn contract() -> impl Strategy<Value = ContractName> {
    "[a-z0-9_-]{1,20}(:[a-z0-9_-]{1,20}){1,3}".prop_map(|text| text.parse().unwrap())
}

fn link_name() -> impl Strategy<Value = LinkName> {
    "[A-Za-z0-9_-]{1,64}".prop_map(|text| text.parse().unwrap())
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 8]>().prop_map(|bytes| Digest::of(&bytes))
}
