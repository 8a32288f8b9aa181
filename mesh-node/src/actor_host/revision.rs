//! A revision of an actor that can serve: compiled, probed, with its places.

use std::sync::Arc;
use std::time::Duration;

use lattice_protocol::keys::IssuerKey;
use lattice_protocol::names::{ActorName, Digest};

use super::Admission;
use crate::compute::Weight;
use crate::older::Dialect;
use crate::plan::Serving;

/// A revision that can serve. Calls hold it while they run, so that a swap disturbs none.
pub(crate) struct Revision {
    pub number: u64,
    pub digest: Digest,
    pub name: ActorName,
    /// Who signed the module itself.
    pub issuer: IssuerKey,
    /// What the module itself was signed to use, by the names that the mesh has for it.
    pub capabilities: Vec<String>,
    /// How it wants to be called, where it speaks the contracts of earlier hosts.
    pub dialect: Option<Dialect>,
    pub timeout_max: Option<Duration>,
    pub admission: Arc<Admission>,
    /// What its calls compute.
    pub weight: Arc<Weight>,
    pub actor: mesh_runtime::Actor,
}

impl Revision {
    /// Returns what decisions need to know of it.
    pub fn serving(&self) -> Serving {
        Serving { revision: self.number, issuer: self.issuer.clone(), digest: self.digest.clone() }
    }
}
