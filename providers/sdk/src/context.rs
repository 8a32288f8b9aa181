//! What a provider is given when it is made.

use std::path::PathBuf;
use std::sync::Arc;

use lattice_client::Lattice;
use lattice_protocol::keys::ProviderKey;

use crate::actors::Actors;

/// What a provider is given when it is made.
#[derive(Clone)]
pub struct Context {
    /// Its key: what links lead to.
    pub key: ProviderKey,
    /// The lattice, whose NATS connection it may use.
    pub lattice: Lattice,
    /// Calls the actors that are linked to it.
    pub actors: Arc<dyn Actors>,
    /// A folder of its own for what it keeps on this machine, where it has one; made by whoever
    /// needs it.
    pub data: Option<PathBuf>,
}
