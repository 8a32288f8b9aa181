//! The signed claims inside a module: read, sign, verify, in the wascap format.
//!
//! A module carries an ASCII JWT in a custom section. [`verify`] is the only way to a
//! [`VerifiedModule`], and nothing else can be loaded by a node.

mod section;
mod sign;
mod token;
mod verify;

pub use sign::{SignRequest, sign};
pub use token::{Claims, ModuleClaims};
pub use verify::{VerifiedClaims, VerifiedModule, check_period, inspect, verify, verify_again};

use crate::keys::KeyError;

/// Why a module's claims can't be read, signed or trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// The bytes are no WebAssembly module.
    #[error("not a WebAssembly module: {0}")]
    NotAModule(String),
    /// The module carries no claims.
    #[error("the module is not signed: sign it with `meshctl sign`")]
    Unsigned,
    /// The module carries claims more than once.
    #[error("the module carries claims {0} times")]
    SignedTwice(usize),
    /// The claims are no JWT of the wascap format.
    #[error("the module's claims are malformed: {0}")]
    Malformed(String),
    /// The signature does not match.
    #[error("the signature of the module's claims is not that of issuer {issuer}")]
    BadSignature {
        /// The issuer that the claims name.
        issuer: String,
    },
    /// The module's bytes are not those that were signed.
    #[error(
        "the module was changed after it was signed: its hash is {found}, the claims say {claimed}"
    )]
    HashMismatch {
        /// What the claims say.
        claimed: String,
        /// What the bytes give.
        found: String,
    },
    /// The claims have expired.
    #[error("the module's claims expired at {at_s} (Unix seconds)")]
    Expired {
        /// When.
        at_s: u64,
    },
    /// The claims are not valid yet.
    #[error("the module's claims are not valid before {at_s} (Unix seconds)")]
    NotYetValid {
        /// When they will be.
        at_s: u64,
    },
    /// A key in the claims, or a key to sign with, is of the wrong kind or mistyped.
    #[error("{what}: {cause}")]
    Key {
        /// Which key.
        what: &'static str,
        /// Why it is refused.
        cause: KeyError,
    },
    /// A size exceeds its limit.
    #[error("{what} of {found} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The seed could not sign.
    #[error("signing failed: {0}")]
    Signing(String),
}
