//! Errors of the contract, and whether something was stored in spite of them.

use lattice_client::Lattice;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{CallInfo, jetstream};

/// Whether an operation changes what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It does not.
    Reads,
    /// It may have, whatever came of it.
    Writes,
}

/// Does the work of a call within its time, and gives up at once where NATS is away.
pub async fn within<T>(
    lattice: &Lattice,
    info: &CallInfo,
    doing: Doing,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let done = jetstream::within(lattice, info, Box::pin(work)).await.and_then(|done| done);
    done.map_err(|error| Error { started: error.started || maybe(doing, error.code), ..error })
}

/// Whether something may have been stored in spite of an error.
fn maybe(doing: Doing, code: ErrorCode) -> bool {
    let refused = matches!(code, ErrorCode::BadRequest | ErrorCode::NotFound | ErrorCode::TooLarge);
    doing == Doing::Writes && !refused
}

/// Returns the error of a request that makes no sense.
pub fn bad(why: impl Into<String>) -> Error {
    Error::not_started(ErrorCode::BadRequest, why)
}

/// Returns the error of others that are faster, again and again.
pub fn contended(what: &str) -> Error {
    Error::not_started(ErrorCode::Busy, format!("{what} is written by others at the same time"))
}
