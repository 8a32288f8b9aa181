//! Verification: the one way from bytes to a module that may be loaded.

use std::sync::Arc;

use super::{Claims, ClaimsError};
use crate::keys::{ActorKey, IssuerKey};
use crate::names::Digest;

/// A module whose claims were verified: signature, hash, validity period, kinds of keys.
///
/// The value is the proof: [`verify`] alone makes it, and what runs modules takes nothing else.
#[derive(Clone, Debug)]
pub struct VerifiedModule {
    bytes: Arc<[u8]>,
    digest: Digest,
    actor: ActorKey,
    issuer: IssuerKey,
    claims: Claims,
}

impl VerifiedModule {
    /// Returns the module's bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Returns the digest of the bytes.
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

    /// Returns the revision in the claims; 0 where there is none or it is negative.
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
    let _ = wasm;
    Err(ClaimsError::Unsigned)
}

/// Verifies the claims of a module at the time `now_s` (Unix seconds).
///
/// # Errors
/// [`ClaimsError`] naming the first thing that is wrong.
pub fn verify(wasm: &[u8], now_s: u64) -> Result<VerifiedModule, ClaimsError> {
    let _ = (wasm, now_s);
    Err(ClaimsError::Unsigned)
}
