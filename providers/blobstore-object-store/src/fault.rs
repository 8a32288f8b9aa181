//! What a store answers, as errors of the contract, and the bounds of every operation.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use lattice_protocol::{Error, ErrorCode};
use mesh_provider::CallInfo;

use crate::limits;

/// Whether an operation changes what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It does not.
    Reads,
    /// It may have, whatever came of it.
    Writes,
}

/// Does the work of a call within its time.
pub async fn within<T>(
    info: &CallInfo,
    doing: Doing,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let bound = info.left().saturating_sub(Duration::from_millis(limits::ANSWER_MS));
    let done = match tokio::time::timeout(bound, Box::pin(work)).await {
        Ok(done) => done,
        Err(_) => Err(late()),
    };
    done.map_err(|error| Error { started: error.started || maybe(doing, error.code), ..error })
}

/// Whether something may have been stored in spite of an error.
fn maybe(doing: Doing, code: ErrorCode) -> bool {
    let refused = matches!(code, ErrorCode::BadRequest | ErrorCode::NotFound | ErrorCode::TooLarge);
    doing == Doing::Writes && !refused
}

/// Returns the error of a store that takes too long.
pub fn late() -> Error {
    Error::not_started(ErrorCode::DeadlineExceeded, "the store did not answer in time")
}

/// Returns the error of a request that makes no sense.
pub fn bad(why: impl Into<String>) -> Error {
    Error::not_started(ErrorCode::BadRequest, why)
}

/// Returns the error of what has more bytes than there is room for.
pub fn too_large(why: impl Into<String>) -> Error {
    Error::not_started(ErrorCode::TooLarge, why)
}

/// Returns the error of others that are faster, again and again.
pub fn contended(what: &str) -> Error {
    Error::not_started(ErrorCode::Busy, format!("{what} is written by others at the same time"))
}

/// Returns the error of what exceeds what these providers take.
pub fn no_room(why: impl Into<String>) -> Error {
    Error::not_started(ErrorCode::LimitExceeded, why)
}

/// Returns the error of something that the store did not do.
pub fn failed(doing: &str, error: &object_store::Error) -> Error {
    use object_store::Error as Store;
    let code = match error {
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => ErrorCode::Unauthorized,
        Store::InvalidPath { .. } => ErrorCode::BadRequest,
        _ if is_full(error) => ErrorCode::LimitExceeded,
        _ => ErrorCode::ProviderUnavailable,
    };
    let mut cause = error.to_string();
    cause.truncate(cause.floor_char_boundary(limits::CAUSE_BYTES_MAX));
    Error::not_started(code, format!("the store does not {doing}: {cause}"))
}

fn is_full(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
            return matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_closed_door_have_codes_of_their_own() {
        let generic = |source: io::Error| object_store::Error::Generic {
            store: "test",
            source: Box::new(source),
        };
        for (kind, code) in [
            (io::ErrorKind::StorageFull, ErrorCode::LimitExceeded),
            (io::ErrorKind::ConnectionRefused, ErrorCode::ProviderUnavailable),
        ] {
            assert_eq!(failed("write", &generic(kind.into())).code, code);
        }
        let denied =
            object_store::Error::PermissionDenied { path: "a".into(), source: "no".into() };
        assert_eq!(failed("write", &denied).code, ErrorCode::Unauthorized);
    }
}
