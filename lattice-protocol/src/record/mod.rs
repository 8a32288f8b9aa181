//! What the registry holds: versioned msgpack maps, one file a record.
//!
//! Each record carries `v`; a record of a later version is refused with
//! [`DecodeError::Version`](crate::DecodeError::Version), unknown fields of this version are
//! ignored.

mod actor;
mod link;
mod provider;
mod revocation;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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
        // The version first: a later record may have any other shape.
        #[derive(Deserialize)]
        struct Version {
            v: u64,
        }
        let Version { v } = codec::decode(bytes)?;
        if v != u64::from(limits::WIRE_VERSION) {
            return Err(DecodeError::Version { found: v });
        }
        codec::decode(bytes)
    }
}

impl Record for ActorRecord {}
impl Record for LinkRecord {}
impl Record for ProviderRecord {}
impl Record for RevocationRecord {}
