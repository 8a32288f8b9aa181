//! A link: where a contract of an actor leads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keys::{ActorKey, TargetKey};
use crate::names::{ContractName, LinkName};

/// Binds a contract of an actor to a target: the value at `link.<source>.<contract>.<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// Version of the record.
    pub v: u8,
    /// The actor whose calls it leads.
    pub source: ActorKey,
    /// The contract.
    pub contract: ContractName,
    /// Tells several links of one contract apart.
    pub name: LinkName,
    /// Provider or actor that is called.
    pub target: TargetKey,
    /// What the target needs to know to serve this source.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Grows with each write, so that a provider can say which one it runs.
    pub generation: u64,
    /// Identity of the write, so that a writer whose write timed out can tell its own.
    #[serde(default)]
    pub writer: String,
}
