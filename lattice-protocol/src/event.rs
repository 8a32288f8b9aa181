//! Events of a lattice: CloudEvents 1.0 in msgpack, one kind a subject.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError, EncodeError};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $text:literal;)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind { $($(#[$doc])* $kind,)* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$kind,)*];

            /// Returns the kind as the last token of its subject.
            pub fn as_str(self) -> &'static str {
                match self { $(EventKind::$kind => $text,)* }
            }

            /// Returns the kind that `text` names.
            pub fn from_wire(text: &str) -> Option<Self> {
                match text { $($text => Some(EventKind::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A node joined.
    NodeStarted = "node_started";
    /// A node accepts no more calls and finishes those in flight.
    NodeDraining = "node_draining";
    /// A node left.
    NodeStopped = "node_stopped";
    /// A node serves an actor that it did not serve before.
    ActorStarted = "actor_started";
    /// A node serves another revision of an actor.
    ActorSwapped = "actor_swapped";
    /// A node serves an actor no more.
    ActorStopped = "actor_stopped";
    /// A node refused a module; the event says why.
    ActorRefused = "actor_refused";
    /// A provider is served that was not served before: by a node, or by a process of its own.
    ProviderStarted = "provider_started";
    /// A provider is served no more; the event says why, and when it is started again.
    ProviderStopped = "provider_stopped";
    /// A provider refused a link; the event says why.
    LinkRefused = "link_refused";
    /// A registry record could not be read; the event says why.
    RecordRefused = "record_refused";
}

/// An event: a CloudEvent whose `type` is `mesh.<kind>` and whose `source` is a node's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Version of CloudEvents.
    pub specversion: String,
    /// Identity of the event.
    pub id: String,
    /// Key of the node or provider that tells it.
    pub source: String,
    /// `mesh.` and the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about: a key or a digest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// Facts: name, revision, digest, reason …
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

impl Event {
    /// Returns the kind, where this program knows it.
    pub fn event_kind(&self) -> Option<EventKind> {
        EventKind::from_wire(self.kind.strip_prefix("mesh.")?)
    }

    /// Encodes the event for the wire.
    ///
    /// # Errors
    /// [`EncodeError`]; not seen to happen.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode(self)
    }

    /// Decodes an event.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no event.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }
}
