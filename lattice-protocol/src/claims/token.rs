//! The JWT of a module: its claims as JSON, its encoding.

use serde::{Deserialize, Serialize};

/// The part of the claims that is about the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleClaims {
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Upper-case hex SHA-256 of the module without its claims.
    pub hash: String,
    /// Free tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Capabilities: contracts that the module may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<Vec<String>>,
    /// Revision, growing with each release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<i32>,
    /// Version for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ver: Option<String>,
    /// Another name that calls may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    /// Whether the claims are those of a provider.
    #[serde(default)]
    pub prov: bool,
}

/// The claims of a module, as they are in its JWT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Unix seconds after which they are void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// Identity of the token.
    pub jti: String,
    /// Unix seconds of the signing.
    pub iat: u64,
    /// Issuer's key (`A…`).
    pub iss: String,
    /// Module's key (`M…`).
    pub sub: String,
    /// Unix seconds before which they are void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Revision of the wascap format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wascap_revision: Option<u32>,
    /// About the module.
    pub wascap: ModuleClaims,
}
