//! The error of a call: a closed set of codes, a message for people, and whether work had begun.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal, $next:literal;)*) => {
        /// What went wrong with a call. The set is closed: `docs/protocol.md` lists each code
        /// with its cause and the next step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $code,)* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$code,)*];

            /// Returns the code as it is on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$code => $text,)* }
            }

            /// Returns what a person can do about it.
            pub fn next_step(self) -> &'static str {
                match self { $(ErrorCode::$code => $next,)* }
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
    BadRequest = "bad_request", "compare the message with docs/protocol.md";
    /// A payload exceeds its limit.
    TooLarge = "too_large", "send less, or in parts";
    /// The caller may not do this.
    Unauthorized = "unauthorized", "sign the actor with the capability that it needs, by an issuer that the nodes trust, or call as somebody else";
    /// Nothing serves the target.
    NotFound = "not_found", "see what is deployed with `meshctl ls actors`";
    /// The actor has no link for the contract.
    NoLink = "no_link", "bind the contract to a provider or an actor with a link";
    /// The linked provider does not answer.
    ProviderUnavailable = "provider_unavailable", "see whether the provider runs, and its log";
    /// All places are taken.
    Busy = "busy", "retry later, or start another node";
    /// The node is leaving.
    Draining = "draining", "retry: another node answers";
    /// The time of the call ran out.
    DeadlineExceeded = "deadline_exceeded", "give the call more time with --timeout, or find what is slow";
    /// The actor answered with an error of its own.
    ActorError = "actor_error", "the text is the actor's own";
    /// The actor's code failed: a trap, or a broken protocol with its host.
    ActorTrapped = "actor_trapped", "look at the actor's log on the node that answered";
    /// The actor exceeded a limit: memory, tables, hops.
    LimitExceeded = "limit_exceeded", "raise the limit of the actor, or lower its appetite";
    /// The module, its key or its issuer was revoked.
    Revoked = "revoked", "deploy a module that is not revoked";
    /// The node serves an older revision than the call asks for.
    Stale = "stale", "retry: the node is about to catch up";
    /// A fault of the mesh itself.
    Internal = "internal", "look at the log of the node that answered, and report it";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A later version may know more codes; the message still tells a person what happened.
        crate::codec::parse_text(deserializer).map(|KnownCode(code)| code)
    }
}

/// A code as this version reads it.
struct KnownCode(ErrorCode);

impl std::str::FromStr for KnownCode {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(ErrorCode::from_wire(text).unwrap_or(ErrorCode::Internal)))
    }
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What went wrong, from a closed set.
    pub code: ErrorCode,
    /// The same for people: names the thing and the cause. At most
    /// [`limits::ERROR_MESSAGE_BYTES_MAX`] bytes.
    #[serde(default, deserialize_with = "read_cut")]
    pub message: String,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "read_few")]
    pub detail: BTreeMap<String, String>,
    /// Whether the work may have begun. What was not started is always safe to retry.
    #[serde(default = "started_unless_told")]
    pub started: bool,
}

/// Reads a message; what somebody else sent too long is cut, not refused.
fn read_cut<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(cut)
}

/// Reads the facts that an error may have; what goes beyond is left out.
fn read_few<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let detail = BTreeMap::<String, String>::deserialize(deserializer)?;
    Ok(detail
        .into_iter()
        .take(limits::ERROR_DETAIL_ENTRIES_MAX)
        .map(|(key, value)| (key, cut(value)))
        .collect())
}

fn started_unless_told() -> bool {
    true
}

impl Error {
    /// Makes an error of work that had not begun.
    pub fn not_started(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: cut(message.into()), detail: BTreeMap::new(), started: false }
    }

    /// Makes an error of work that may have begun.
    pub fn started(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { started: true, ..Self::not_started(code, message) }
    }

    /// Adds a fact for programs; past [`limits::ERROR_DETAIL_ENTRIES_MAX`] it is left out.
    #[must_use]
    pub fn with_detail(mut self, key: &str, value: impl Into<String>) -> Self {
        if self.detail.len() < limits::ERROR_DETAIL_ENTRIES_MAX {
            self.detail.insert(key.to_owned(), cut(value.into()));
        }
        self
    }
}

/// Cuts a text to the longest message, at a character's end.
fn cut(mut text: String) -> String {
    if text.len() > limits::ERROR_MESSAGE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(limits::ERROR_MESSAGE_BYTES_MAX));
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<crate::DecodeError> for Error {
    fn from(error: crate::DecodeError) -> Self {
        let code = match error {
            crate::DecodeError::TooLarge { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::BadRequest,
        };
        Error::not_started(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_long_message_is_cut_at_a_characters_end() {
        let limit = limits::ERROR_MESSAGE_BYTES_MAX;
        assert_eq!(Error::started(ErrorCode::Internal, "a".repeat(limit)).message.len(), limit);
        assert_eq!(Error::started(ErrorCode::Internal, "a".repeat(limit + 1)).message.len(), limit);
        let text = format!("a{}", "é".repeat(limit));
        let message = Error::started(ErrorCode::Internal, text.clone()).message;
        assert_eq!(message.len(), limit - 1);
        assert!(text.starts_with(&message));
    }

    #[test]
    fn what_somebody_else_sent_too_long_is_cut() {
        let long = Error {
            code: ErrorCode::Busy,
            message: "a".repeat(limits::ERROR_MESSAGE_BYTES_MAX + 1),
            detail: (0..100).map(|n| (format!("{n:03}"), String::new())).collect(),
            started: false,
        };
        let read: Error = codec::decode(&codec::encode(&long).unwrap()).unwrap();
        assert_eq!(read.message.len(), limits::ERROR_MESSAGE_BYTES_MAX);
        assert_eq!(read.detail.len(), limits::ERROR_DETAIL_ENTRIES_MAX);
    }

    #[test]
    fn facts_are_bounded() {
        let error = (0..100).fold(Error::started(ErrorCode::Busy, ""), |error, n| {
            error.with_detail(&n.to_string(), "x")
        });
        assert_eq!(error.detail.len(), limits::ERROR_DETAIL_ENTRIES_MAX);
    }

    #[test]
    fn every_code_reads_as_it_is_written_and_no_two_are_alike() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_wire(code.as_str()), Some(*code));
            assert!(seen.insert(code.as_str()) && !code.next_step().is_empty());
        }
        assert_eq!(codec::decode(b"\xa5later"), Ok(ErrorCode::Internal));
    }

    #[test]
    fn an_error_may_have_started_unless_it_says_otherwise() {
        let read: Error = codec::decode(b"\x81\xa4code\xa4busy").unwrap();
        assert_eq!(read, Error::started(ErrorCode::Busy, ""));
    }
}
