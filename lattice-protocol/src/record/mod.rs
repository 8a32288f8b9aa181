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

    /// Checks the numbers that [`limits`] bound.
    ///
    /// # Errors
    /// [`DecodeError::Shape`] naming the limit that is exceeded.
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }

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
    /// [`DecodeError`] when the bytes are malformed, too large, of a later version, or over a
    /// limit.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > limits::RECORD_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "a record",
                found: bytes.len(),
                limit: limits::RECORD_BYTES_MAX,
            });
        }
        let record = codec::decode_versioned(bytes, Self::version)?;
        Self::check(&record)?;
        Ok(record)
    }
}

impl Record for ActorRecord {
    fn version(&self) -> u8 {
        self.v
    }

    fn check(&self) -> Result<(), DecodeError> {
        codec::at_most(limits::LABELS_MAX, "labels", self.labels.len())?;
        codec::at_most(limits::CAPABILITIES_MAX, "capabilities", self.capabilities.len())?;
        codec::at_most(limits::HISTORY_REVISIONS_MAX, "earlier revisions", self.history.len())
    }
}

impl Record for LinkRecord {
    fn version(&self) -> u8 {
        self.v
    }
}

impl Record for ProviderRecord {
    fn version(&self) -> u8 {
        self.v
    }

    fn check(&self) -> Result<(), DecodeError> {
        codec::at_most(limits::LABELS_MAX, "labels", self.labels.len())
    }
}

impl Record for RevocationRecord {
    fn version(&self) -> u8 {
        self.v
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Digest;

    fn record() -> ActorRecord {
        ActorRecord {
            v: limits::WIRE_VERSION,
            key: "MCFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVZ4AO".parse().unwrap(),
            name: "echo".parse().unwrap(),
            revision: 1,
            digest: Digest::of(b""),
            size: 0,
            issuer: "ACODERUVFFAWZQDSS6SBIACUA5O6SXF7HJ3YTYXBALHZP3P7R4BUO4J2".parse().unwrap(),
            capabilities: vec![],
            labels: Labels::new(),
            limits: ActorLimits::default(),
            concurrency: None,
            replicas: None,
            isolation: Isolation::PerCall,
            deployed_at_ms: 0,
            rolled_back: false,
            history: vec![],
            writer: String::new(),
        }
    }

    #[test]
    fn what_a_record_lists_is_bounded() {
        let full = ActorRecord {
            history: vec![record().as_past(); limits::HISTORY_REVISIONS_MAX],
            labels: (0..limits::LABELS_MAX).map(|n| (n.to_string(), String::new())).collect(),
            capabilities: vec!["mesh:x".into(); limits::CAPABILITIES_MAX],
            ..record()
        };
        assert_eq!(ActorRecord::decode(&full.encode().unwrap()).as_ref(), Ok(&full));

        let mut history = full.clone();
        history.history.push(record().as_past());
        let mut labels = full.clone();
        labels.labels.insert("one more".into(), String::new());
        let mut capabilities = full;
        capabilities.capabilities.push("mesh:x".into());
        for over in [history, labels, capabilities] {
            let read = ActorRecord::decode(&over.encode().unwrap());
            assert!(matches!(read, Err(DecodeError::Shape(_))), "{read:?}");
        }
        let large = vec![0; limits::RECORD_BYTES_MAX + 1];
        assert!(matches!(ActorRecord::decode(&large), Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn what_a_record_asks_for_is_brought_within_the_limits() {
        let asks = |concurrency, memory_bytes| {
            let limits = ActorLimits { memory_bytes, timeout_ms: None };
            let record = ActorRecord { concurrency, limits, ..record() };
            (record.concurrency(), record.memory_bytes())
        };
        let defaults = (limits::ACTOR_CONCURRENCY_DEFAULT, limits::ACTOR_MEMORY_DEFAULT_BYTES);
        assert_eq!(asks(None, None), defaults);
        assert_eq!(asks(Some(0), Some(1)), (1, 1));
        let most = (limits::ACTOR_CONCURRENCY_MAX, limits::ACTOR_MEMORY_MAX_BYTES);
        assert_eq!(asks(Some(u32::MAX), Some(u64::MAX)), most);
    }
}
