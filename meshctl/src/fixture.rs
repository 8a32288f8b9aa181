//! Values for the tests of several modules.

use lattice_protocol::keys::{Actor, Issuer, Key};
use lattice_protocol::names::Digest;
use lattice_protocol::record::{ActorLimits, ActorRecord, Isolation};

/// Returns the record of an actor `echo` that wants the label `zone=a`.
pub fn record() -> ActorRecord {
    ActorRecord {
        v: 1,
        key: Key::<Actor>::generate().unwrap().0,
        name: "echo".parse().unwrap(),
        revision: 1,
        digest: Digest::of(b"a"),
        size: 1,
        issuer: Key::<Issuer>::generate().unwrap().0,
        capabilities: Vec::new(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        limits: ActorLimits::default(),
        concurrency: None,
        replicas: None,
        isolation: Isolation::PerCall,
        deployed_at_ms: 0,
        rolled_back: false,
        history: Vec::new(),
        writer: String::new(),
    }
}
