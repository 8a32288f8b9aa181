//! What is asked of one node, and what it answers: msgpack maps on control subjects.
//!
//! | verb | request | answers |
//! |---|---|---|
//! | `inventory` | empty | [`Inventory`] |
//! | `prepare` | [`Prepare`] | [`Prepared::Working`] at once, then one of the others |
//! | `drain`, `stop` | [`Leave`] | [`Ack`] at once; the node then leaves |

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::error::Error;
use crate::keys::{ActorKey, NodeKey};
use crate::names::Digest;
use crate::presence::Heartbeat;
use crate::record::ActorRecord;

/// A module that a node refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The actor.
    pub key: ActorKey,
    /// The module.
    pub digest: Digest,
    /// Its revision.
    pub revision: u64,
    /// Why it is not served.
    pub error: Error,
}

/// What a node is and serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The same as its heartbeat.
    pub heartbeat: Heartbeat,
    /// What it refuses, and why.
    #[serde(default)]
    pub refused: Vec<Refusal>,
    /// Revision of the registry up to which it has taken in every change; absent where it does
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_at: Option<u64>,
}

/// Asks whether a node could serve a module: it fetches, verifies, compiles and probes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// The record that would be written.
    pub record: ActorRecord,
}

/// How far a node is with [`Prepare`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Prepared {
    /// It has begun.
    Working {
        /// The node.
        node: NodeKey,
    },
    /// It could serve the module now.
    Ready {
        /// The node.
        node: NodeKey,
    },
    /// It refuses the module.
    Refused {
        /// The node.
        node: NodeKey,
        /// Why.
        error: Error,
    },
    /// It lacks the labels that the actor wants, or is leaving.
    NotEligible {
        /// The node.
        node: NodeKey,
        /// Why.
        reason: String,
    },
}

/// Orders a node to leave. It names the node, so that no reply of some other service, sent to a
/// subject of an attacker's choice, can be taken for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// The node that shall leave; equal to the key in the subject.
    pub node: NodeKey,
}

/// An order was understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The node.
    pub node: NodeKey,
    /// Why it will not do it, where it will not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

macro_rules! wire {
    ($($message:ident),*) => {$(
        impl $message {
            /// Encodes the message for the wire.
            ///
            /// # Errors
            /// [`EncodeError`]; not seen to happen.
            pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
                codec::encode(self)
            }

            /// Decodes the message.
            ///
            /// # Errors
            /// [`DecodeError`] when the bytes are no such message.
            pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                codec::decode(bytes)
            }
        }
    )*};
}

wire!(Inventory, Prepare, Prepared, Leave, Ack);
