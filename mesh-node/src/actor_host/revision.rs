//! A revision of an actor that can serve: compiled, probed, with its places.

use std::sync::Arc;
use std::time::Duration;

use lattice_protocol::keys::IssuerKey;
use lattice_protocol::names::{ActorName, Digest};

use super::Admission;

/// A revision that can serve. Calls hold it while they run, so that a swap disturbs none.
pub(crate) struct Revision {
    pub number: u64,
    pub digest: Digest,
    pub name: ActorName,
    /// Who signed the module itself.
    pub issuer: IssuerKey,
    /// What the module itself was signed to use.
    pub capabilities: Vec<String>,
    pub timeout_max: Option<Duration>,
    pub admission: Arc<Admission>,
    pub actor: mesh_runtime::Actor,
}
