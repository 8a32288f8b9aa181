//! Heartbeats: what a node says of itself every second.

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::keys::{ActorKey, NodeKey};
use crate::limits;
use crate::names::Digest;
use crate::record::Labels;

/// An actor that a node serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedActor {
    /// Its key.
    pub key: ActorKey,
    /// The revision that answers calls.
    pub revision: u64,
    /// Digest of its module.
    pub digest: Digest,
    /// Calls of it that run now.
    #[serde(default)]
    pub in_flight: u32,
    /// Whether it is served only until another node serves it: its record, or an order to leave,
    /// has this node serve it no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lingering: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a node says of itself every [`HEARTBEAT_INTERVAL_MS`](crate::limits::HEARTBEAT_INTERVAL_MS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Version of the message.
    pub v: u8,
    /// The node's key; equal to the key in the subject.
    pub node: NodeKey,
    /// Version of the program.
    pub version: String,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Whether it is leaving.
    #[serde(default)]
    pub draining: bool,
    /// Calls that run now.
    #[serde(default)]
    pub in_flight: u32,
    /// Calls that it has answered since it started.
    #[serde(default)]
    pub calls: u64,
    /// Actors that it serves; at most
    /// [`HEARTBEAT_ACTORS_MAX`](crate::limits::HEARTBEAT_ACTORS_MAX) of them.
    #[serde(default)]
    pub actors: Vec<ServedActor>,
    /// How many it serves in all.
    #[serde(default)]
    pub actor_count: u32,
}

impl Heartbeat {
    /// Encodes the heartbeat for the wire.
    ///
    /// # Errors
    /// [`EncodeError`]; not seen to happen.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode(self)
    }

    /// Decodes a heartbeat.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no heartbeat, one of another version, or over a limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let heartbeat = codec::decode_versioned(bytes, |heartbeat: &Self| heartbeat.v)?;
        codec::at_most(limits::LABELS_MAX, "labels", heartbeat.labels.len())?;
        codec::at_most(limits::HEARTBEAT_ACTORS_MAX, "actors", heartbeat.actors.len())?;
        Ok(heartbeat)
    }
}
