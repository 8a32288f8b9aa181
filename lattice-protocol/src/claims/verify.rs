//! Verification: the one way from bytes to a module that may be loaded.

use std::ops::Deref;
use std::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};

use super::section::Sections;
use super::token::Token;
use super::{Claims, ClaimsError};
use crate::keys::{ActorKey, IssuerKey};
use crate::names::Digest;

/// A module whose claims were verified: signature, hash, validity period, kinds of keys.
///
/// The value is the proof: [`verify`] alone makes it, and what runs modules takes nothing else.
#[derive(Clone, Debug)]
pub struct VerifiedModule {
    bytes: Arc<[u8]>,
    verified: VerifiedClaims,
}

/// What was verified of a module: all that is known of it but its bytes.
#[derive(Clone, Debug)]
pub struct VerifiedClaims {
    digest: Digest,
    actor: ActorKey,
    issuer: IssuerKey,
    claims: Claims,
    token: Arc<[u8]>,
}

impl VerifiedModule {
    /// Returns the module's bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}

/// What was verified of it.
impl Deref for VerifiedModule {
    type Target = VerifiedClaims;

    fn deref(&self) -> &VerifiedClaims {
        &self.verified
    }
}

impl VerifiedClaims {
    /// Returns the token that the module carries, as it was signed.
    pub fn token(&self) -> &[u8] {
        &self.token
    }

    /// Returns the digest of the module's bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the actor that the module is.
    pub fn actor(&self) -> &ActorKey {
        &self.actor
    }

    /// Returns who signed it.
    pub fn issuer(&self) -> &IssuerKey {
        &self.issuer
    }

    /// Returns all that was signed.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Returns the name in the claims, or the key where there is none.
    pub fn name(&self) -> &str {
        self.claims.wascap.name.as_deref().unwrap_or(self.actor.as_str())
    }

    /// Returns the revision in the claims; 0 where there is none. A negative one was refused.
    pub fn revision(&self) -> u64 {
        self.claims.wascap.rev.and_then(|rev| u64::try_from(rev).ok()).unwrap_or(0)
    }

    /// Returns what it was signed to use.
    pub fn capabilities(&self) -> &[String] {
        self.claims.wascap.caps.as_deref().unwrap_or(&[])
    }
}

/// Reads the claims of a module without trusting them: for showing them to people.
///
/// # Errors
/// [`ClaimsError`] when there are none, or they are malformed.
pub fn inspect(wasm: &[u8]) -> Result<Claims, ClaimsError> {
    Ok(Token::read(Sections::read(wasm)?.token()?)?.claims)
}

/// Verifies the claims of a module at the time `now_s` (Unix seconds).
///
/// Whether the issuer is trusted, and whether anything was revoked, is the caller's to decide.
///
/// # Errors
/// [`ClaimsError`] naming the first thing that is wrong.
pub fn verify(wasm: &[u8], now_s: u64) -> Result<VerifiedModule, ClaimsError> {
    let sections = Sections::read(wasm)?;
    let verified = signed(sections.token()?, || Digest::of(wasm))?;
    check_hash(&sections, &verified.claims.wascap.hash)?;
    check_period(&verified.claims, now_s)?;
    Ok(VerifiedModule { bytes: Arc::from(wasm), verified })
}

/// Verifies the claims of a module whose bytes are not at hand, at the time `now_s` (Unix seconds).
///
/// Only for whoever has proof that [`verify`] once accepted a module with this digest and this token: what the
/// token says of the bytes is not looked at.
///
/// # Errors
/// [`ClaimsError`] naming the first thing that is wrong.
pub fn verify_again(
    token: &[u8],
    digest: Digest,
    now_s: u64,
) -> Result<VerifiedClaims, ClaimsError> {
    let verified = signed(token, || digest)?;
    check_period(&verified.claims, now_s)?;
    Ok(verified)
}

/// Reads a token and checks who signed it; nothing that it says is checked yet.
fn signed(token: &[u8], digest: impl FnOnce() -> Digest) -> Result<VerifiedClaims, ClaimsError> {
    let text: Arc<[u8]> = Arc::from(token);
    let token = Token::read(token)?;
    let key = |what| move |cause| ClaimsError::Key { what, cause };
    let issuer: IssuerKey = token.claims.iss.parse().map_err(key("the claims' issuer"))?;
    let actor: ActorKey = token.claims.sub.parse().map_err(key("the claims' subject"))?;
    check_signature(&issuer, &token)?;
    Ok(VerifiedClaims { digest: digest(), actor, issuer, claims: token.claims, token: text })
}

/// Checks the signature strictly.
///
/// What nkeys calls `verify` also accepts issuers' keys of small order, for which one signature
/// fits many messages and anybody can make one. No tool generates such a key, so the strict
/// equation accepts every honest wascap signature and makes each stand for one message only.
fn check_signature(issuer: &IssuerKey, token: &Token<'_>) -> Result<(), ClaimsError> {
    let signature = Signature::from_bytes(&token.signature);
    nkeys::from_public_key(issuer.as_str())
        .ok()
        .and_then(|(_, point)| VerifyingKey::from_bytes(&point).ok())
        .and_then(|key| key.verify_strict(token.signed, &signature).ok())
        .ok_or_else(|| ClaimsError::BadSignature { issuer: issuer.to_string() })
}

/// Checks the hash, in either of the two ways that tools have computed it.
fn check_hash(sections: &Sections<'_>, claimed: &str) -> Result<(), ClaimsError> {
    let found = sections.hash();
    if found == claimed || sections.hash_as_framed() == claimed {
        return Ok(());
    }
    Err(ClaimsError::HashMismatch { claimed: claimed.to_owned(), found })
}

/// Checks the period of validity: from `nbf` on, up to but without `exp` (RFC 7519, 4.1.4).
pub fn check_period(claims: &Claims, now_s: u64) -> Result<(), ClaimsError> {
    match (claims.nbf, claims.exp) {
        (_, Some(at_s)) if now_s >= at_s => Err(ClaimsError::Expired { at_s }),
        (Some(at_s), _) if now_s < at_s => Err(ClaimsError::NotYetValid { at_s }),
        _ => Ok(()),
    }
}
