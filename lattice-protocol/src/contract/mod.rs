//! What actors and providers say to each other: a file a contract.
//!
//! A contract has a name (`NAME`, such as `mesh:keyvalue`), operations (`operation`), a request
//! and a response each, and bounds ([`limits`]). A message is a msgpack map with named fields and
//! travels as the payload of an invocation or its reply; a failure is an [`Error`](crate::Error).
//! `docs/contracts.md` describes all of it for other languages.
//!
//! ```
//! use lattice_protocol::contract::{Message, keyvalue};
//!
//! let request = keyvalue::Increment { key: "visits".into(), delta: 1 };
//! let bytes = request.encode()?;
//! assert_eq!(keyvalue::Increment::decode(&bytes)?, request);
//! assert!(keyvalue::Increment::decode(b"").is_err(), "it has no key");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Within a contract only optional fields and operations are added. What an old reader would
//! misunderstand is another contract, with another name (`mesh:keyvalue:2`).

mod bounded;
mod headers;

pub mod blobstore;
pub mod http;
pub mod http_client;
pub mod keyvalue;
pub mod limits;
pub mod logging;
pub mod messaging;
pub mod older;
pub mod random;
pub mod timer;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
/// Bytes inside of lists and options: `bin` on the wire.
pub use serde_bytes::ByteBuf;

pub use headers::Headers;

use crate::codec::{self, DecodeError, EncodeError};

/// Who runs an operation of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The provider; an actor calls it over a link.
    Provider,
    /// The actor; the provider calls it, as the links to the provider tell it to.
    Actor,
}

/// An operation of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name in the invocation.
    pub name: &'static str,
    /// Who runs it.
    pub by: Side,
    /// Whether it may be run again after an unknown outcome: neither what is stored nor the answer
    /// tells that it ran twice.
    pub idempotent: bool,
}

/// A contract: what it is called and what may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its name, as in links and in capabilities.
    pub name: &'static str,
    /// Every operation of it.
    pub operations: &'static [Operation],
}

impl Contract {
    /// Every contract of this crate.
    pub const ALL: &'static [Contract] = &[
        http::CONTRACT,
        http_client::CONTRACT,
        keyvalue::CONTRACT,
        messaging::CONTRACT,
        blobstore::CONTRACT,
        logging::CONTRACT,
        random::CONTRACT,
        timer::CONTRACT,
    ];

    /// Returns the contract of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|contract| contract.name == name)
    }

    /// Returns the operation of that name.
    pub fn operation(&self, name: &str) -> Option<Operation> {
        self.operations.iter().copied().find(|operation| operation.name == name)
    }
}

/// Declares the name of a contract and its operations: name on the wire, who runs it, whether it
/// is idempotent.
macro_rules! contract {
    ($name:literal; $($(#[$doc:meta])* $constant:ident = $text:literal, $by:ident, $idempotent:literal;)*) => {
        /// The name of the contract.
        pub const NAME: &str = $name;

        /// The contract.
        pub const CONTRACT: $crate::contract::Contract = $crate::contract::Contract {
            name: NAME,
            operations: &[$($crate::contract::Operation {
                name: $text,
                by: $crate::contract::Side::$by,
                idempotent: $idempotent,
            }),*],
        };

        /// Names of the operations.
        pub mod operation {
            $($(#[$doc])* pub const $constant: &str = $text;)*
        }
    };
}
use contract;

/// A request or a response of a contract.
pub trait Message: Serialize + DeserializeOwned {
    /// Checks what the types can't say. Whoever sends a message checks it before, so that it
    /// learns at home what the other side would refuse.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] when a size exceeds its limit, [`DecodeError::Shape`] naming
    /// whatever else is wrong. As an [`Error`](crate::Error) they are `too_large` and
    /// `bad_request`.
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }

    /// Returns about how many bytes the large parts have: room that encoding reserves.
    fn bulk_bytes(&self) -> usize {
        0
    }

    /// Encodes the message as a payload.
    ///
    /// # Errors
    /// [`EncodeError`]; not seen to happen for the messages of this crate.
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode_with_capacity(self, self.bulk_bytes() + 128)
    }

    /// Decodes a payload. No bytes, or nil, are a map without fields: so a caller need not write a
    /// request that has none, nor an actor a response.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are malformed, no map, or over a limit.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes = if matches!(bytes, [] | [0xc0]) { &[0x80] } else { bytes };
        let message: Self = codec::decode_map(bytes)?;
        message.check()?;
        Ok(message)
    }
}

/// A message without fields, so far: they may be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

impl Message for Empty {}

/// Whether something was there: before the operation, where it makes it or takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Existed {
    /// Whether it was.
    pub existed: bool,
}

impl Message for Existed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{ContractName, is_operation};

    #[test]
    fn names_are_well_formed_and_lead_back() {
        for contract in Contract::ALL {
            assert!(contract.name.parse::<ContractName>().is_ok(), "{contract:?}");
            assert_eq!(Contract::named(contract.name), Some(*contract));
            let mut names: Vec<_> = contract.operations.iter().map(|one| one.name).collect();
            for operation in contract.operations {
                assert!(is_operation(operation.name));
                assert!(operation.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
                assert_eq!(contract.operation(operation.name), Some(*operation));
            }
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), contract.operations.len());
        }
        assert_eq!(Contract::named("mesh:nothing"), None);
        assert_eq!(keyvalue::CONTRACT.operation("nothing"), None);
    }

    #[test]
    fn a_message_without_fields_may_be_left_out() {
        for bytes in [&b""[..], b"\xc0", b"\x80", b"\x81\xa5later\x01"] {
            assert_eq!(Empty::decode(bytes), Ok(Empty {}));
        }
        assert_eq!(Empty {}.encode().unwrap(), b"\x80");
        for bytes in [&b"\x90"[..], b"\x01", b"\xc0\xc0"] {
            assert!(Empty::decode(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
