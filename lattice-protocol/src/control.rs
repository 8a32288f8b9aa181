//! What is asked of one node, and what it answers: msgpack maps on control subjects.
//!
//! | verb | request | answers |
//! |---|---|---|
//! | `inventory` | empty | [`Inventory`] |
//! | `prepare` | [`Prepare`] | [`Prepared::Working`] at once, then one of the others |
//! | `drain`, `stop` | [`Leave`] | [`Ack`] at once; the node then leaves |
//! | `health` | empty | [`Ack`]: its error says what is wrong |
//! | `providers` | empty | [`Providers`] |
//! | `link` | [`AskLink`] | [`LinkState::Working`] at once, then one of the others |
//! | `calls` | [`AskCalls`] | [`CallsHeld`] |
//! | `actors` | [`AskActors`] | [`ActorStates`] |
//!
//! A provider that runs in a process of its own answers all from `health` on but the last. It has a node key as a node
//! has: that of this process, another one after each start.

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};
use crate::error::Error;
use crate::keys::{ActorKey, NodeKey, ProviderKey};
use crate::limits;
use crate::names::{ContractName, Digest, LinkName};
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

/// A provider as it runs in one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningProvider {
    /// Its key.
    pub key: ProviderKey,
    /// The name that people link to.
    pub name: String,
    /// The contract that it serves.
    pub contract: ContractName,
    /// Version of its program.
    #[serde(default)]
    pub version: String,
    /// What it does, in a line.
    #[serde(default)]
    pub description: String,
    /// Links that it serves.
    #[serde(default)]
    pub links: u32,
    /// Links that it refuses, and why; at most
    /// [`REFUSED_LINKS_MAX`](crate::limits::REFUSED_LINKS_MAX) of them.
    #[serde(default)]
    pub refused: Vec<RefusedLink>,
    /// Calls that it has answered since it started.
    #[serde(default)]
    pub calls: u64,
    /// Calls that run now.
    #[serde(default)]
    pub in_flight: u32,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// A link that a provider refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLink {
    /// The actor.
    pub source: ActorKey,
    /// The link's name.
    pub name: LinkName,
    /// Why.
    pub error: Error,
}

/// A provider that a node was told to run, in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisedProvider {
    /// Its key.
    pub key: ProviderKey,
    /// The name in its record.
    pub name: String,
    /// Process id, where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The key under which its process answers questions, where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<NodeKey>,
    /// Who wrote the record that it was started for.
    #[serde(default)]
    pub writer: String,
    /// How often it was started.
    #[serde(default)]
    pub starts: u64,
    /// Why it ended last, or can't be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which providers a node or a provider's process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Providers {
    /// The node, or the process.
    pub node: NodeKey,
    /// Those that answer calls in this process.
    #[serde(default)]
    pub running: Vec<RunningProvider>,
    /// Those that it has started as processes, which answer for themselves.
    #[serde(default)]
    pub supervised: Vec<SupervisedProvider>,
}

/// Asks the processes that serve a link's target how far they are with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskLink {
    /// The actor whose link it is.
    pub source: ActorKey,
    /// The contract.
    pub contract: ContractName,
    /// The link's name.
    pub name: LinkName,
    /// The provider that it leads to.
    pub target: ProviderKey,
    /// Revision of the link's record in the registry: nobody answers for an earlier one.
    pub at: u64,
}

/// How far a provider's process is with a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkState {
    /// It serves the provider, and will say more.
    Working {
        /// The node, or the provider's process.
        node: NodeKey,
    },
    /// Calls over the link are answered as its record says.
    Ready {
        /// The node, or the provider's process.
        node: NodeKey,
        /// The generation that it runs.
        generation: u64,
    },
    /// The record is not followed; what ran before still runs.
    Refused {
        /// The node, or the provider's process.
        node: NodeKey,
        /// Why.
        error: Error,
    },
}

impl LinkState {
    /// Returns who says it.
    pub fn node(&self) -> &NodeKey {
        match self {
            Self::Working { node } | Self::Ready { node, .. } | Self::Refused { node, .. } => node,
        }
    }
}

/// Asks which of some calls a process has: it has read them, and not answered yet.
///
/// A call is named by its reply subject, which no other call has: `inbox` and one of `calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskCalls {
    /// What the reply subjects of all these calls begin with.
    pub inbox: String,
    /// How each of them ends; at most [`CALLS_ASKED_MAX`](crate::limits::CALLS_ASKED_MAX).
    pub calls: Vec<String>,
}

impl AskCalls {
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
    /// [`DecodeError`] when the bytes are no such message, or ask for too many calls.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let ask: Self = codec::decode(bytes)?;
        codec::at_most(limits::CALLS_ASKED_MAX, "calls", ask.calls.len())?;
        let longest = ask.calls.iter().map(String::len).max().unwrap_or_default();
        codec::at_most(limits::SUBJECT_BYTES_MAX, "inbox", ask.inbox.len() + longest)?;
        Ok(ask)
    }
}

/// The calls of a question that a process has; it answers too where it has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsHeld {
    /// The node, or the provider's process.
    pub node: NodeKey,
    /// Where those that it has stand among the calls of the question, counted from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<u32>,
    /// Whether it may have more of them: it has not read all that had reached it before the question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

impl CallsHeld {
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
    /// [`DecodeError`] when the bytes are no such message, or name more calls than can be asked for.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let told: Self = codec::decode(bytes)?;
        codec::at_most(limits::CALLS_ASKED_MAX, "calls", told.held.len())?;
        Ok(told)
    }
}

/// Asks nodes which of certain actors they serve, or will.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskActors {
    /// The actors; at most [`ASKED_ACTORS_MAX`](crate::limits::ASKED_ACTORS_MAX).
    pub actors: Vec<ActorKey>,
}

/// An actor that a node serves, and by which record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingBy {
    /// The actor.
    pub key: ActorKey,
    /// Revision in the registry of the record that it serves it by.
    pub at: u64,
}

/// What a node does about actors that it was asked for. A node that leaves answers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorStates {
    /// The node.
    pub node: NodeKey,
    /// Those that it serves, and whose newest record that it has read has it serve them.
    #[serde(default)]
    pub serving: Vec<ServingBy>,
    /// Those that it does not serve yet, but is about to.
    #[serde(default)]
    pub coming: Vec<ActorKey>,
    /// Whether it has not read the registry yet: it may serve any of them soon.
    #[serde(default)]
    pub unread: bool,
}

impl AskActors {
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
    /// [`DecodeError`] when the bytes are no such message, or it names too many.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let ask: Self = codec::decode(bytes)?;
        codec::at_most(limits::ASKED_ACTORS_MAX, "actors", ask.actors.len())?;
        Ok(ask)
    }
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

wire!(Inventory, Prepare, Prepared, Leave, Ack, AskLink, LinkState, Providers, ActorStates);
