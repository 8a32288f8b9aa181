//! Signing: puts claims into a module.

use data_encoding::BASE64URL_NOPAD;

use super::section::{Sections, too_large};
use super::{Claims, ClaimsError, ModuleClaims};
use crate::keys::{ActorKey, IssuerKey, Key, KeyKind};
use crate::limits;
use crate::names::Digest;

/// What to say of a module, and who says it.
pub struct SignRequest<'a> {
    /// The issuer's pair (`SA…` seed).
    pub issuer: &'a nkeys::KeyPair,
    /// The module's pair (`SM…` seed); only its public key is used.
    pub module: &'a nkeys::KeyPair,
    /// Name for people and other actors.
    pub name: &'a str,
    /// Capabilities.
    pub capabilities: Vec<String>,
    /// Free tags.
    pub tags: Vec<String>,
    /// Revision, growing with each release; not negative.
    pub revision: Option<i32>,
    /// Version for people.
    pub version: Option<String>,
    /// Unix seconds of now.
    pub now_s: u64,
    /// Unix seconds after which the claims are void.
    pub expires_s: Option<u64>,
    /// Unix seconds before which the claims are void.
    pub not_before_s: Option<u64>,
}

/// Revision of the wascap format from which on readers compare the hash.
const WASCAP_REVISION: u32 = 3;

/// Returns `wasm` with claims as `request` says; claims that it carried before are replaced.
///
/// The same module and request give the same bytes.
///
/// # Errors
/// [`ClaimsError`] when `wasm` is no module, a pair is of the wrong kind or lacks its seed, or
/// the claims would not be accepted by [`verify`](super::verify()).
pub fn sign(wasm: &[u8], request: &SignRequest<'_>) -> Result<Vec<u8>, ClaimsError> {
    let issuer: IssuerKey = public(request.issuer, "the issuer's key")?;
    let actor: ActorKey = public(request.module, "the module's key")?;
    let sections = Sections::read(wasm)?;
    let mut claims = Claims {
        exp: request.expires_s,
        jti: String::new(),
        iat: request.now_s,
        iss: issuer.to_string(),
        sub: actor.to_string(),
        nbf: request.not_before_s,
        wascap_revision: Some(WASCAP_REVISION),
        wascap: ModuleClaims {
            name: Some(request.name.to_owned()),
            hash: sections.hash(),
            tags: Some(request.tags.clone()),
            caps: Some(request.capabilities.clone()),
            rev: request.revision,
            ver: request.version.clone(),
            call_alias: None,
            prov: false,
        },
    };
    claims.check()?;
    // The token's identity is the digest of what it says: no randomness, no two for the same.
    claims.jti = Digest::of(claims.to_signed_text()?.as_bytes()).to_string();

    let signed = claims.to_signed_text()?;
    let signature = request
        .issuer
        .sign(signed.as_bytes())
        .map_err(|error| ClaimsError::Signing(error.to_string()))?;
    let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature));
    if token.len() > limits::CLAIMS_BYTES_MAX {
        return Err(too_large("the claims", token.len(), limits::CLAIMS_BYTES_MAX));
    }
    let module = sections.with_token(&token);
    if module.len() > limits::MODULE_BYTES_MAX {
        return Err(too_large("the signed module", module.len(), limits::MODULE_BYTES_MAX));
    }
    Ok(module)
}

fn public<K: KeyKind>(pair: &nkeys::KeyPair, what: &'static str) -> Result<Key<K>, ClaimsError> {
    pair.public_key().parse().map_err(|cause| ClaimsError::Key { what, cause })
}
