//! What the code that `#[actor]` writes calls. Not for others.

use std::fmt::Display;

use crate::{Error, Result, ToPayload};

/// Makes the payload of what an operation returned, or the error of the caller.
///
/// # Errors
/// The operation's own.
pub fn answer<T: ToPayload, E: IntoError>(result: Result<T, E>) -> Result<Vec<u8>> {
    result.map_err(IntoError::into_error)?.into_payload()
}

/// What an operation may return as its error: anything that can be displayed.
pub trait IntoError {
    /// Makes it an error of the SDK, which keeps one that it is already.
    fn into_error(self) -> Error;
}

impl<E: Display + 'static> IntoError for E {
    fn into_error(self) -> Error {
        let any: &dyn std::any::Any = &self;
        any.downcast_ref::<Error>().cloned().unwrap_or_else(|| Error::actor(&self))
    }
}

#[cfg(target_arch = "wasm32")]
pub use crate::abi::guest_call;
