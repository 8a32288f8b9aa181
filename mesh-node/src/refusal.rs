//! Why a node does not serve a module, and whether trying again may help.

use std::collections::BTreeMap;

use lattice_client::registry::RegistryError;
use lattice_protocol::claims::ClaimsError;
use lattice_protocol::keys::IssuerKey;
use lattice_protocol::record::ActorRecord;
use lattice_protocol::{Error, ErrorCode};

/// Why a module is not served.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// What is answered, and told.
    pub error: Error,
    /// Whether the cause may pass by itself: the store could not be reached.
    pub passing: bool,
}

impl Refused {
    fn for_good(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { error: Error::not_started(code, message), passing: false }
    }

    /// The cause may pass by itself.
    pub fn passing(message: impl Into<String>) -> Self {
        Self { error: Error::not_started(ErrorCode::Internal, message), passing: true }
    }

    /// The node does not trust the issuer.
    pub fn untrusted(issuer: &IssuerKey) -> Self {
        Self::for_good(
            ErrorCode::Unauthorized,
            format!(
                "issuer {issuer} is not trusted by this node: `mesh-node --trust {issuer}` would"
            ),
        )
    }

    /// The revision is below the active one.
    pub fn older(offered: u64, active: u64) -> Self {
        Self::for_good(
            ErrorCode::BadRequest,
            format!(
                "revision {offered} is below the active revision {active}: \
                 `meshctl rollback` goes back, `meshctl sign --rev` goes on"
            ),
        )
    }

    /// Something of it was revoked, which calls are told by `error`.
    pub fn revoked(error: Error) -> Self {
        Self { error, passing: false }
    }

    /// The record and the module that it names say different things.
    pub fn mismatch(what: &str, record: &str, module: &str) -> Self {
        Self::for_good(
            ErrorCode::BadRequest,
            format!("the record says {what} {record}, the module itself says {module}"),
        )
    }

    /// The module can't be compiled, or lacks what an actor must export.
    pub fn unusable(cause: &dyn std::error::Error) -> Self {
        Self::for_good(ErrorCode::BadRequest, cause.to_string())
    }

    /// The module failed its probe.
    pub fn failed_probe(error: &Error) -> Self {
        // A machine that is overloaded now may have time later.
        if matches!(error.code, ErrorCode::Busy | ErrorCode::DeadlineExceeded) {
            return Self::passing(format!("the module does not start: {}", error.message));
        }
        Self {
            error: Error {
                message: format!("the module does not start: {}", error.message),
                ..error.clone()
            },
            passing: false,
        }
    }
}

impl From<ClaimsError> for Refused {
    fn from(error: ClaimsError) -> Self {
        let passing = matches!(error, ClaimsError::NotYetValid { .. });
        Self { passing, ..Self::for_good(ErrorCode::Unauthorized, error.to_string()) }
    }
}

impl From<RegistryError> for Refused {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Damaged(_) => Self::for_good(ErrorCode::Unauthorized, error.to_string()),
            // A module may be on its way to this server of a cluster.
            _ => Self::passing(error.to_string()),
        }
    }
}

/// Returns what an event says of a module that is refused.
pub fn event_data(record: &ActorRecord, refused: &Refused) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("name".to_owned(), record.name.to_string()),
        ("revision".to_owned(), record.revision.to_string()),
        ("digest".to_owned(), record.digest.to_string()),
        ("code".to_owned(), refused.error.code.to_string()),
        ("reason".to_owned(), refused.error.message.clone()),
    ])
}
