//! What the registry holds: versioned msgpack maps, one file a record.
//!
//! Each record carries `v`; a record of a later version is refused with
//! [`DecodeError::Version`](crate::DecodeError::Version), unknown fields of this version are
//! ignored.

mod actor;
mod link;
mod provider;
mod revocation;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use actor::{ActorLimits, ActorRecord, Isolation, PastRevision};
pub use link::LinkRecord;
pub use provider::ProviderRecord;
pub use revocation::RevocationRecord;

use crate::codec::{self, DecodeError, EncodeError};
use crate::limits;

/// Labels: of a node, or wanted by an actor.
pub type Labels = std::collections::BTreeMap<String, String>;

/// A record of the registry.
pub trait Record: Serialize + DeserializeOwned {
    /// Returns the version of the record.
    fn version(&self) -> u8;

    /// Encodes the record for the registry.
    ///
    /// # Errors
    /// [`EncodeError`]; not seen to happen for the records of this crate.
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode(self)
    }

    /// Decodes a record of a version that this program speaks.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are malformed, too large, or of a later version.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > limits::RECORD_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "a record",
                found: bytes.len(),
                limit: limits::RECORD_BYTES_MAX,
            });
        }
        codec::decode_versioned(bytes, Self::version)
    }
}

macro_rules! records {
    ($($record:ident),*) => {$(
        impl Record for $record {
            fn version(&self) -> u8 {
                self.v
            }
        }
    )*};
}

records!(ActorRecord, LinkRecord, ProviderRecord, RevocationRecord);
