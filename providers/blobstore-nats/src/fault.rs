//! What JetStream answers, as errors of the contract, and the bounds of every operation.

use std::error::Error as StdError;
use std::time::Duration;

use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{
    DeleteMessageError, DeleteMessageErrorKind, LastRawMessageError, LastRawMessageErrorKind,
    PurgeError, PurgeErrorKind,
};
use async_nats::jetstream::{Error as ApiError, ErrorCode as ApiCode};
use lattice_client::Lattice;
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

/// Does the work of a call within its time, and gives up at once where NATS is away.
pub async fn within<T>(
    lattice: &Lattice,
    info: &CallInfo,
    doing: Doing,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let away = || Error::not_started(ErrorCode::ProviderUnavailable, "NATS can't be reached");
    let mut connection = lattice.connection();
    if !connection.borrow_and_update().up {
        return Err(away());
    }
    let bound = info.left().saturating_sub(Duration::from_millis(limits::ANSWER_MS));
    let done = tokio::select! {
        done = tokio::time::timeout(bound, Box::pin(work)) => done.unwrap_or_else(|_| {
            Err(Error::not_started(
                ErrorCode::DeadlineExceeded,
                "the object store did not answer in time",
            ))
        }),
        _ = connection.wait_for(|connection| !connection.up) => Err(away()),
    };
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

/// Returns what the server said, where it said something.
pub fn said(error: &(dyn StdError + 'static)) -> Option<ApiError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(api) = error.downcast_ref::<ApiError>() {
            return Some(api.clone());
        }
        if let Some(error) = error.downcast_ref::<GetStreamError>()
            && let GetStreamErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<CreateStreamError>()
            && let CreateStreamErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<LastRawMessageError>()
            && let LastRawMessageErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<PurgeError>()
            && let PurgeErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<DeleteMessageError>()
            && let DeleteMessageErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        next = error.source();
    }
    None
}

/// Returns whether the server said that there is no such stream.
pub fn no_stream(error: &(dyn StdError + 'static)) -> bool {
    said(error).is_some_and(|api| api.error_code() == ApiCode::STREAM_NOT_FOUND)
}

/// Returns the error of something that JetStream did not do.
pub fn failed(doing: &str, error: &(dyn StdError + 'static)) -> Error {
    let Some(said) = said(error) else {
        return Error::not_started(
            ErrorCode::ProviderUnavailable,
            format!("JetStream does not {doing}: {error}"),
        );
    };
    let code = match said.error_code() {
        ApiCode::ACCOUNT_RESOURCES_EXCEEDED
        | ApiCode::INSUFFICIENT_RESOURCES
        | ApiCode::STORAGE_RESOURCES_EXCEEDED
        | ApiCode::MEMORY_RESOURCES_EXCEEDED
        | ApiCode::MAXIMUM_STREAMS_LIMIT
        | ApiCode::STREAM_LIMITS
        | ApiCode::STREAM_STORE_FAILED => ErrorCode::LimitExceeded,
        _ => ErrorCode::ProviderUnavailable,
    };
    Error::not_started(code, format!("JetStream does not {doing}: {said}"))
}
