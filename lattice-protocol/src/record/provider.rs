//! A provider that nodes should run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Labels;
use crate::keys::ProviderKey;

/// A provider that somebody wants: the value at `provider.<V-key>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRecord {
    /// Version of the record.
    pub v: u8,
    /// The provider's key.
    pub key: ProviderKey,
    /// The name that people call it by.
    pub name: String,
    /// What to run: the program, then its arguments.
    pub command: Vec<String>,
    /// Labels that a node must have to run it.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What it is told at its start.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Identity of the write, so that a writer whose write timed out can tell its own.
    #[serde(default)]
    pub writer: String,
}
