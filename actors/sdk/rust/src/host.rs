//! The way to the host: the imports of the module, or the lattice of a native test.

use crate::HostError;

/// Calls `operation` of `namespace` (a contract, an actor's name or a key) by the link named
/// `link`, with bytes, and returns bytes. [`Target`](crate::Target) is the typed way.
///
/// # Errors
/// [`HostError`] with the code of what went wrong on the way or there.
pub fn call_raw(
    link: &str,
    namespace: &str,
    operation: &str,
    payload: &[u8],
) -> Result<Vec<u8>, HostError> {
    call(link, namespace, operation, payload).map_err(|text| HostError::parse(&text))
}

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::abi::{host_call as call, log_line};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::{host_call as call, log_line};
