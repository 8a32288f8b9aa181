//! Signing: puts claims into a module.

use super::ClaimsError;

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
    /// Revision.
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

/// Returns `wasm` with claims as `request` says; claims that it carried before are replaced.
///
/// # Errors
/// [`ClaimsError`] when `wasm` is no module, a pair is of the wrong kind or lacks its seed.
pub fn sign(wasm: &[u8], request: &SignRequest<'_>) -> Result<Vec<u8>, ClaimsError> {
    let _ = (wasm, request);
    Err(ClaimsError::Unsigned)
}
