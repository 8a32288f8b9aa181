//! The JWT of a module: its claims as JSON, its encoding.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ClaimsError;
use crate::limits;

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
    /// Revision, growing with each release; never negative.
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

/// The header of every token of the wascap format.
#[derive(Serialize, Deserialize)]
struct Header {
    typ: String,
    alg: String,
}

const HEADER_TYPE: &str = "jwt";
const HEADER_ALGORITHM: &str = "Ed25519";

/// A token taken apart, not yet trusted.
pub(super) struct Token<'a> {
    pub(super) claims: Claims,
    /// Header and claims as they were signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: [u8; 64],
}

impl<'a> Token<'a> {
    /// Reads a token without trusting it.
    pub(super) fn read(token: &'a [u8]) -> Result<Self, ClaimsError> {
        let text = std::str::from_utf8(token)
            .ok()
            .filter(|text| text.is_ascii())
            .ok_or_else(|| malformed("the token is not ASCII"))?;
        let (signed, signature) =
            text.rsplit_once('.').ok_or_else(|| malformed("the token has no signature"))?;
        let (header, claims) =
            signed.split_once('.').ok_or_else(|| malformed("the token has no claims"))?;
        let header: Header = segment("the header", header)?;
        if header.typ != HEADER_TYPE || header.alg != HEADER_ALGORITHM {
            return Err(malformed("the token is not of type jwt with algorithm Ed25519"));
        }
        let claims: Claims = segment("the claims", claims)?;
        claims.check()?;
        let signature = BASE64URL_NOPAD
            .decode(signature.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| malformed("the signature is not 64 bytes in base64url"))?;
        Ok(Self { claims, signed: signed.as_bytes(), signature })
    }
}

impl Claims {
    /// Returns header and claims in the form that is signed.
    pub(super) fn to_signed_text(&self) -> Result<String, ClaimsError> {
        let header = Header { typ: HEADER_TYPE.into(), alg: HEADER_ALGORITHM.into() };
        Ok(format!("{}.{}", to_segment(&header)?, to_segment(self)?))
    }

    /// Checks what holds for claims whoever signed them.
    pub(super) fn check(&self) -> Result<(), ClaimsError> {
        let module = &self.wascap;
        // Revisions order releases; two negative ones would both count as none.
        if module.rev.is_some_and(|rev| rev < 0) {
            return Err(malformed("a revision can't be below 0"));
        }
        let capabilities = module.caps.as_ref().map_or(0, Vec::len);
        if capabilities > limits::CAPABILITIES_MAX {
            return Err(ClaimsError::Malformed(format!(
                "{capabilities} capabilities exceed the limit of {}",
                limits::CAPABILITIES_MAX
            )));
        }
        // These end in logs and on terminals.
        let mut shown = [&module.name, &module.ver, &module.call_alias]
            .into_iter()
            .flatten()
            .chain(module.tags.iter().flatten())
            .chain(module.caps.iter().flatten());
        if shown.any(|text| text.chars().any(char::is_control)) {
            return Err(malformed("a name, version, tag or capability holds a control character"));
        }
        Ok(())
    }
}

fn segment<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, ClaimsError> {
    let json = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|error| ClaimsError::Malformed(format!("{what}: not base64url: {error}")))?;
    serde_json::from_slice(&json)
        .map_err(|error| ClaimsError::Malformed(format!("{what}: {error}")))
}

fn to_segment<T: Serialize>(value: &T) -> Result<String, ClaimsError> {
    let json =
        serde_json::to_vec(value).map_err(|error| ClaimsError::Signing(error.to_string()))?;
    Ok(BASE64URL_NOPAD.encode(&json))
}

fn malformed(why: &str) -> ClaimsError {
    ClaimsError::Malformed(why.into())
}
