//! A revocation: what must not be served any more.

use serde::{Deserialize, Serialize};

/// Strikes a key or a module: the value at `revoked.<key or digest>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// Version of the record.
    pub v: u8,
    /// The key or digest that is struck, as it is in the registry key.
    pub what: String,
    /// Unix milliseconds of the revocation.
    pub at_ms: u64,
    /// Why, for people.
    #[serde(default)]
    pub why: String,
    /// Identity of the write, so that a writer whose write timed out can tell its own.
    #[serde(default)]
    pub writer: String,
}
