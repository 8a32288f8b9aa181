//! A deployed actor: which module, under which limits, where.

use serde::{Deserialize, Serialize};

use super::Labels;
use crate::keys::{ActorKey, IssuerKey};
use crate::limits;
use crate::names::{ActorName, Digest};

/// Whether calls of an actor share memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Fresh memory for each call.
    #[default]
    PerCall,
    /// Instances are kept warm and used again; one that trapped never is.
    Reuse,
}

/// Limits of an actor; what is absent takes the defaults of [`limits`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorLimits {
    /// Bytes of memory and tables that one instance may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Milliseconds that one call may run, whatever budget its caller gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
}

/// One earlier revision, kept for `rollback`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRevision {
    /// Its revision.
    pub revision: u64,
    /// Digest of its module.
    pub digest: Digest,
    /// Who signed it.
    pub issuer: IssuerKey,
    /// What it was signed to use.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Unix milliseconds of its deployment.
    #[serde(default)]
    pub deployed_at_ms: u64,
}

/// An actor that is deployed on a lattice: the value at `actor.<M-key>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorRecord {
    /// Version of the record.
    pub v: u8,
    /// The actor's key; equal to the key in the registry key.
    pub key: ActorKey,
    /// The name that people and other actors call it by.
    pub name: ActorName,
    /// Revision to serve.
    pub revision: u64,
    /// Digest of the module's bytes: its name in the object store.
    pub digest: Digest,
    /// Size of the module in bytes.
    pub size: u64,
    /// Who signed the module.
    pub issuer: IssuerKey,
    /// What the module was signed to use. For people: nodes believe only the module itself.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Labels that a node must have to serve it.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// How many of the nodes with these labels serve it; absent means every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Limits of one instance and one call.
    #[serde(default)]
    pub limits: ActorLimits,
    /// Calls that run at once on one node; absent means [`limits::ACTOR_CONCURRENCY_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Whether calls share memory.
    #[serde(default)]
    pub isolation: Isolation,
    /// Unix milliseconds of this deployment.
    #[serde(default)]
    pub deployed_at_ms: u64,
    /// Whether this revision was chosen by `rollback`: it may be below one that a node serves.
    #[serde(default)]
    pub rolled_back: bool,
    /// Earlier revisions, newest first; at most [`limits::HISTORY_REVISIONS_MAX`].
    #[serde(default)]
    pub history: Vec<PastRevision>,
    /// Identity of the write, so that a writer whose write timed out can tell its own.
    #[serde(default)]
    pub writer: String,
}

impl ActorRecord {
    /// Returns how many calls may run at once on one node.
    pub fn concurrency(&self) -> u32 {
        self.concurrency
            .unwrap_or(limits::ACTOR_CONCURRENCY_DEFAULT)
            .clamp(1, limits::ACTOR_CONCURRENCY_MAX)
    }

    /// Returns how many nodes are to serve it; `None` where every node with its labels is.
    pub fn replicas(&self) -> Option<usize> {
        let within = self.replicas?.clamp(1, limits::ACTOR_REPLICAS_MAX);
        Some(usize::try_from(within).unwrap_or(usize::MAX))
    }

    /// Returns the bytes of memory that one instance may have.
    pub fn memory_bytes(&self) -> u64 {
        self.limits
            .memory_bytes
            .unwrap_or(limits::ACTOR_MEMORY_DEFAULT_BYTES)
            .min(limits::ACTOR_MEMORY_MAX_BYTES)
    }

    /// Returns what this record's revision becomes in the history of the next.
    pub fn as_past(&self) -> PastRevision {
        PastRevision {
            revision: self.revision,
            digest: self.digest.clone(),
            issuer: self.issuer.clone(),
            capabilities: self.capabilities.clone(),
            deployed_at_ms: self.deployed_at_ms,
        }
    }
}
