//! Whose signatures a node believes.

use std::collections::BTreeSet;

use lattice_protocol::keys::IssuerKey;

/// The issuers whose modules a node loads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's, as long as the signature is valid.
    #[default]
    Anybody,
    /// These and no others.
    Only(BTreeSet<IssuerKey>),
}

impl Trust {
    /// Returns the trust that a list of issuers asks for: an empty list means anybody.
    pub fn from_issuers(issuers: impl IntoIterator<Item = IssuerKey>) -> Self {
        let issuers: BTreeSet<_> = issuers.into_iter().collect();
        if issuers.is_empty() { Trust::Anybody } else { Trust::Only(issuers) }
    }

    /// Returns whether modules of `issuer` are loaded.
    pub fn includes(&self, issuer: &IssuerKey) -> bool {
        match self {
            Trust::Anybody => true,
            Trust::Only(issuers) => issuers.contains(issuer),
        }
    }
}
