//! Lets modules that speak the contracts of earlier hosts (`wascc:…`, `wasmcloud:…`) run as they
//! are: their operations and messages in, those of the mesh out, and the other way round.
//!
//! Nothing here does I/O, and nothing else in the node knows an older message:
//!
//! - A host call of an older module begins with [`from_actor`], which says what to ask the linked
//!   provider, and [`Call::answered`] turns the provider's answer into the next [`Step`].
//! - A call of a provider reaches an older module through [`to_actor`], and its answer goes back
//!   through [`ToActor::answered`].
//! - How a module wants to be called is told by [`dialect_of`]; which contract an older name means by
//!   [`lattice_protocol::contract::older`].
//!
//! Older modules speak one of two forms. The earlier one has plain operations (`Add`) and a map
//! both ways; the later one has the name of an interface before the operation
//! (`KeyValue.Increment`) and single values where there is one field. Both are msgpack.
//!
//! What can't be had: the blob stores of earlier hosts (they call the module back for each chunk),
//! event streams, and the operations between hosts.

mod dialect;
mod headers;
mod http_client;
mod incoming;
mod keyvalue;
mod limits;
mod logging;
mod messaging;
mod random;
mod range;
mod step;
mod wire;

pub(crate) use dialect::{Dialect, dialect_of};
pub(crate) use incoming::to_actor;
pub(crate) use step::Step;

use std::sync::atomic::AtomicU64;

use lattice_protocol::Error;
use lattice_protocol::contract;
use lattice_protocol::contract::older::contract_of;

/// Returns what the host call of an older module needs first.
///
/// `sequence` numbers what a module asks a sequence number for: such a number is one of a node,
/// from 0 on.
///
/// # Errors
/// `bad_request` for a namespace, an operation or a payload that is none of the older contracts;
/// `too_large` for a message that is beyond the bounds of the mesh's contract.
pub(crate) fn from_actor(
    namespace: &str,
    operation: &str,
    payload: &[u8],
    sequence: &AtomicU64,
) -> Result<Step, Error> {
    match contract_of(namespace) {
        Some(contract::keyvalue::NAME) => keyvalue::begin(operation, payload),
        Some(contract::messaging::NAME) => messaging::begin(namespace, operation, payload),
        Some(contract::http_client::NAME) => http_client::begin(operation, payload),
        Some(contract::logging::NAME) => logging::begin(operation, payload),
        Some(contract::random::NAME) => random::begin(operation, payload, sequence),
        _ => Err(wire::no_operation(namespace, operation)),
    }
}

#[cfg(test)]
mod tests;
