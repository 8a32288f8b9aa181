//! Values for the tests of several modules.

use lattice_protocol::keys::{ActorKey, IssuerKey};
use lattice_protocol::names::Digest;
use lattice_protocol::record::{ActorLimits, ActorRecord, Isolation, Labels};

/// Returns the record of a new actor `echo`, without labels.
pub fn record(revision: u64) -> ActorRecord {
    ActorRecord {
        v: 1,
        key: ActorKey::generate().unwrap().0,
        name: "echo".parse().unwrap(),
        revision,
        digest: Digest::of(&revision.to_be_bytes()),
        size: 1,
        issuer: IssuerKey::generate().unwrap().0,
        capabilities: Vec::new(),
        labels: Labels::new(),
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
