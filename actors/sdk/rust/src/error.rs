//! Why an operation or a host call has no result.

use std::fmt;

pub use lattice_protocol::ErrorCode;

use crate::Actor;

/// The result of an operation or of a host call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation has no result. Its text is what the caller reads.
///
/// A text becomes an error of the actor's own:
///
/// ```
/// use mesh_actor::{Error, Result};
///
/// fn half(number: u32) -> Result<u32> {
///     if number % 2 == 1 {
///         return Err(Error::actor(format!("{number} is odd")));
///     }
///     Ok(number / 2)
/// }
/// assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The actor says so itself.
    #[error("{0}")]
    Actor(String),
    /// The actor has no such operation.
    #[error("no operation `{operation}`; there are: {}", known.join(", "))]
    UnknownOperation {
        /// The operation that was asked for.
        operation: String,
        /// The operations that exist.
        known: &'static [&'static str],
    },
    /// A payload is not what its reader expects.
    #[error("the payload of {what} is not as expected: {cause}")]
    BadPayload {
        /// Whose payload: an operation, or the answer to a host call.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The host refused a call, or its target did.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Error {
    /// Makes an error of the actor's own from a text or from another error.
    pub fn actor(cause: impl fmt::Display) -> Self {
        Error::Actor(cause.to_string())
    }

    /// Returns the code of what the host or its target refused; nothing for the other errors, which
    /// are those of this actor.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Error::Host(error) => Some(error.code),
            _ => None,
        }
    }

    /// Makes the error for an operation that `A` does not have.
    pub fn unknown_operation<A: Actor>(operation: &str) -> Self {
        Error::UnknownOperation { operation: operation.to_owned(), known: A::OPERATIONS }
    }

    /// Makes the error for a payload that can't be read or written.
    pub(crate) fn payload(cause: impl fmt::Display) -> Self {
        Error::BadPayload { what: "a message".to_owned(), cause: cause.to_string() }
    }

    /// Says of which operation a bad payload was.
    #[doc(hidden)]
    #[must_use]
    pub fn in_operation(self, operation: &str) -> Self {
        self.of(|| format!("operation `{operation}`"))
    }

    /// Says what a bad payload was meant for.
    pub(crate) fn of(self, what: impl FnOnce() -> String) -> Self {
        match self {
            Error::BadPayload { cause, .. } => Error::BadPayload { what: what(), cause },
            other => other,
        }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error::Actor(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Error::Actor(text.to_owned())
    }
}

/// The host's error, or that of the target that the host called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct HostError {
    /// What went wrong.
    pub code: ErrorCode,
    /// The same for people.
    pub message: String,
}

impl HostError {
    /// Makes an error, as a stand-in for a host or a provider gives it.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Reads the text that a host gives: `code: message`. A text without a known code, as other
    /// hosts of waPC give, is [`ErrorCode::Internal`] and kept whole.
    pub fn parse(text: &str) -> Self {
        let known = text
            .split_once(": ")
            .and_then(|(code, message)| Some((ErrorCode::from_wire(code)?, message)));
        match known {
            Some((code, message)) => Self { code, message: message.to_owned() },
            None => Self { code: ErrorCode::Internal, message: text.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_error_is_read_back_from_its_text() {
        for code in ErrorCode::ALL {
            let error = HostError { code: *code, message: "it: is so".to_owned() };
            assert_eq!(HostError::parse(&error.to_string()), error);
        }
    }

    #[test]
    fn a_foreign_text_is_kept_whole() {
        for text in ["", "no colon", "weird: code", "not_found:no space"] {
            let error = HostError::parse(text);
            assert_eq!((error.code, error.message.as_str()), (ErrorCode::Internal, text));
        }
    }
}
