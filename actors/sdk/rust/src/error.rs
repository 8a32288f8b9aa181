//! Why an operation or a host call has no result.

use std::fmt;

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

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal;)*) => {
        /// What went wrong with a call: the closed set of the mesh.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $code,)* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$code,)*];

            /// Returns the code as it is on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$code => $text,)* }
            }

            /// Returns the code that `text` names.
            pub fn from_wire(text: &str) -> Option<Self> {
                match text { $($text => Some(ErrorCode::$code),)* _ => None }
            }
        }
    };
}

codes! {
    /// The message is malformed, or asks for something that makes no sense.
    BadRequest = "bad_request";
    /// A payload exceeds its limit.
    TooLarge = "too_large";
    /// The actor may not do this.
    Unauthorized = "unauthorized";
    /// Nothing serves the target.
    NotFound = "not_found";
    /// The actor has no link for the contract.
    NoLink = "no_link";
    /// The linked provider does not answer.
    ProviderUnavailable = "provider_unavailable";
    /// All places are taken.
    Busy = "busy";
    /// The node is leaving.
    Draining = "draining";
    /// The time of the call ran out.
    DeadlineExceeded = "deadline_exceeded";
    /// The target answered with an error of its own.
    ActorError = "actor_error";
    /// The target's code failed.
    ActorTrapped = "actor_trapped";
    /// A limit was exceeded: memory, tables, hops.
    LimitExceeded = "limit_exceeded";
    /// The target's module, its key or its issuer was revoked.
    Revoked = "revoked";
    /// The node serves an older revision than the call asks for.
    Stale = "stale";
    /// A fault of the mesh itself.
    Internal = "internal";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
